/** What the workflow `restart` asks of the world. As in types.ts. */
import type { Check } from '../policy/findings.ts';
import type { RestartFound, RestartTarget } from '../workflows/restart-contract.ts';

export interface ContainerNow {
  readonly name: string;
  readonly ok: boolean;
  readonly now: string;
}

/** Run on the host's urgent queue. */
export interface RestartActivities {
  /**
   * What is down, unhealthy or does not stay up of the system's containers and units on this host, or the service that is named,
   * and the end of the log of each, in a file of its own. What a freeze holds, what somebody paused, and what somebody
   * stopped and nobody named, is left. Nothing is touched.
   */
  findBroken(input: {
    system: string;
    restartId: string;
    service?: string;
    logLines: number;
  }): Promise<Omit<RestartFound, 'host'>>;
  /**
   * Starts these again, what others depend on first, and waits until they and what depends on them are healthy, or, those
   * that have no health check, have stayed up for some seconds. A repeat starts nothing twice. What does not become
   * healthy in time is told, and the end of its log added to its file.
   */
  restartContainers(input: { system: string; targets: readonly RestartTarget[] }): Promise<{
    containers: readonly ContainerNow[];
    dependants: readonly ContainerNow[];
  }>;
}

/** Run on the orchestration queue. */
export interface NoteActivities {
  /** Says in the timelines of the incidents of these subjects what was done. One that has none needs none. */
  noteIncidents(input: {
    system: string;
    notes: readonly { readonly check: Check; readonly subject: string; readonly what: string }[];
  }): Promise<void>;
}
