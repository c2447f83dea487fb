/** Whether a site could take a system over now, as people and programs meet it from outside. */
import type { ReadinessCheck, Verdict } from '../policy/failover/readiness.ts';
import type { DrillResult } from './drill-contract.ts';

/** By whom the drills of rehearsals are made, as their reports say. */
export const REHEARSAL = 'rehearsal of a failover';

export interface ReadinessInput {
  readonly system: string;
  /** Also restores the newest backups in isolation, as a drill, and measures how long that takes. */
  readonly rehearse?: boolean;
}

export interface Rehearsed {
  readonly outcome: DrillResult['outcome'];
  readonly why?: string;
  /** From the begin of the restore to the last check, as measured. */
  readonly restoreSeconds?: number;
  /** Until the site before is known to be fenced, as declared; absent where a person or a provider says so. */
  readonly fenceSeconds?: number;
  /** Both: what a failover takes beside the approval and the names. */
  readonly wouldTakeSeconds?: number;
  readonly reportKey?: string;
}

export interface ReadinessResult {
  /** False when it is not ready, or when the rehearsal failed. */
  readonly ok: boolean;
  readonly site: string;
  readonly verdict: Verdict;
  readonly checks: readonly ReadinessCheck[];
  readonly rehearsal?: Rehearsed;
}
