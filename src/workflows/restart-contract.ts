/** Starting again what is down, as people and programs meet it from outside. */

export interface RestartInput {
  readonly system: string;
  /** A service of the Compose project, a container's own name, or a systemd unit. Default: whatever is down, unhealthy or does not stay up. */
  readonly service?: string;
  /** How many of the last lines of each container's log are kept. Default 100. */
  readonly logLines?: number;
  /** How long to wait for another operation on the system before giving up. Default 15 min. */
  readonly waitSeconds?: number;
}

/** One container, or one systemd unit, that is started again. */
export interface RestartTarget {
  readonly id: string;
  readonly name: string;
  readonly service?: string;
  /** Of a unit: the component that names it. */
  readonly component?: string;
  /** `has stopped (exit 137)`, or that it was named. */
  readonly what: string;
  /** RFC 3339. */
  readonly since?: string;
  /** Of the start that is to be replaced; of a unit the name of that run. */
  readonly startedAt: string;
  /** To be stopped first: it runs, or does not stay up. */
  readonly stop: boolean;
  /** Level 0 is stopped first and started last. */
  readonly level: number;
  readonly stopSeconds: number;
  /** A file on that host with the last lines of its log. */
  readonly log: string;
}

/** Query `restart`: what one host has found. */
export interface RestartFound {
  readonly host: string;
  readonly targets: readonly RestartTarget[];
  /** What is down and stays so, with why. */
  readonly left: readonly { readonly name: string; readonly why: string }[];
}

export interface RestartedContainer {
  readonly name: string;
  readonly host: string;
  readonly service?: string;
  readonly what: string;
  readonly since?: string;
  readonly ok: boolean;
  /** How it is at the end. */
  readonly now: string;
  readonly log: string;
}

export interface RestartResult {
  /** `unhealthy`: something did not come up, or did not stay up. */
  readonly outcome: 'nothing' | 'restarted' | 'unhealthy';
  readonly containers: readonly RestartedContainer[];
  /** Services that depend on them and that were waited for. */
  readonly dependants: readonly { readonly name: string; readonly ok: boolean; readonly now: string }[];
  readonly left: RestartFound['left'];
  /** From the beginning of this run until all were healthy. */
  readonly recoveryMs?: number;
  /** From when the first of them went down, as far as that is known, until all were healthy. */
  readonly downMs?: number;
  /** What to do when it has not helped. */
  readonly next?: string;
}

/** Signal `note` to an incident: what somebody did about it. */
export interface IncidentNote {
  readonly what: string;
  readonly by?: string;
}
