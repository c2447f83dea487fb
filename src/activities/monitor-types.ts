/** What the workflow `monitor` asks of the world. As in types.ts. */
import type { Finding, Unknown } from '../policy/findings.ts';
import type { HostLook, HostSeen } from '../policy/host-look.ts';

export interface MonitoringFacts {
  readonly site: string;
  readonly hosts: readonly string[];
  readonly ping: boolean;
}

/** Critical first; lists and texts are cut, counts are not. */
export interface SystemJudged {
  readonly findings: readonly Finding[];
  readonly findingsCount: number;
  readonly unknown: readonly Unknown[];
}

/** Run on the orchestration queue. */
export interface MonitorActivities {
  /** Who is asked by `monitor`, and whether somebody waits for its sign of life. */
  describeMonitoring(input: { system: string }): Promise<MonitoringFacts>;
  /** Reads stores and engine and judges all of it with what the hosts said. `nowMs` is the engine's time. */
  judgeSystem(input: { system: string; hosts: readonly HostSeen[]; nowMs: number }): Promise<SystemJudged>;
  /** Tells the address of the system file that `monitor` has looked. Nothing to tell, or told just now: nothing is done. */
  signOfLife(input: { system: string; broken: boolean; nowMs: number }): Promise<void>;
}

/** Run on the host's urgent queue. */
export interface LookActivities {
  /** What this host says of itself: disks, clock, components, tools, rights. Reads only; about half a minute at most. */
  lookAround(input: { system: string; heldBy?: string }): Promise<HostLook>;
}
