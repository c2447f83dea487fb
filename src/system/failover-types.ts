/** The sites that may run a system, after loading: section `failover`. */
import type { Fencing } from '../policy/failover/decide.ts';
import type { DnsEntry } from './dns-types.ts';
import type { ScheduleConfig } from './schedule-types.ts';
import type { CommandProbe, HttpProbe } from './validation-types.ts';

export type VantageProbe = HttpProbe | CommandProbe;

/** One place that looks whether the active site answers. */
export interface VantageConfig {
  readonly name: string;
  /** Two in one place count once. */
  readonly place: string;
  /** A command ends with 0 when it was answered, with 1 when not, with 2 when it can't see anything itself. */
  readonly probe: VantageProbe;
  /** What always answers: when it doesn't, nothing was seen. */
  readonly reference?: VantageProbe;
}

export interface FailoverConfig {
  /** All that may run the system; the file's own is one of them. */
  readonly sites: readonly string[];
  /** The store that says which one is active. */
  readonly authority: string;
  readonly fencing: Fencing;
  /** How long one renewal lets the stack run. */
  readonly leaseSeconds: number;
  /** The longest from the decision to stop until nothing of the stack runs. */
  readonly stopSeconds: number;
  /** With `confirmed`: ends with 0 when the site HOLDFAST_FROM_SITE is stopped. */
  readonly confirm?: { readonly command: readonly string[]; readonly withinSeconds: number };
  /** Absent: a person approves. */
  readonly automatic?: { readonly downForSeconds: number };
  readonly assess: {
    readonly from: readonly VantageConfig[];
    readonly quorum: number;
    readonly looks: number;
    readonly overSeconds: number;
    /** Of one look. */
    readonly answerWithinSeconds: number;
  };
  /** The most that may be lost; absent: nothing is promised. */
  readonly rpoSeconds?: number;
  /** Through the public name. */
  readonly check?: { readonly probe: VantageProbe; readonly withinSeconds: number };
  /** The names that lead to the active site. */
  readonly dns: readonly DnsEntry[];
  /** A planned change of sites. */
  readonly handover: {
    /** Between two looks at what the other sites do. */
    readonly lookSeconds: number;
    /** Who asks waits so long for its answer, */
    readonly answerSeconds: number;
    /** and who has stopped so long for the other to take over. */
    readonly raiseSeconds: number;
  };
  /** A site that isn't active restores every new backup ahead. */
  readonly warm: boolean;
  /** When it is looked at whether this site could take over. Absent: only by hand. */
  readonly readiness?: ScheduleConfig;
  /** When a failover is rehearsed. Absent: only by hand. */
  readonly rehearsal?: ScheduleConfig;
}
