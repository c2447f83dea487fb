/** What a restore of a whole system adds to the plan and the result of a restore. */
import type { CheckOutcome, ReconcileOutcome } from '../activities/validation-types.ts';
import type { PassedOver } from '../policy/fall-back.ts';
import type { JudgedObjective } from '../policy/rto.ts';
import type { FrozenFacts } from './contract.ts';

/** Where one component comes from; the ordinary restore takes all of them from the plan's own backup. */
export interface PartSource {
  readonly backup: string;
  readonly manifestKey: string;
  readonly store: string;
  /** Where recovery of a database cluster ends, when that is not its backup. */
  readonly recoverTo?: string;
}

export interface WholePart extends PartSource {
  readonly name: string;
  readonly tier: 'critical' | 'important' | 'reference';
  /** RFC 3339; absent when only PostgreSQL will find out. */
  readonly pointAt?: string;
  /** From its recovery point to the wanted moment. */
  readonly lostSeconds?: number;
  /** Of it, what is lost only because newer backups are passed over that were found bad. */
  readonly moreLostSeconds?: number;
  readonly rpoSeconds?: number;
  /** Without it the system is not back: when it can't be restored, nothing is. The others are left as they were then. */
  readonly needed: boolean;
  /** What is wrong with what lives at present; empty: nothing was seen. */
  readonly problems: readonly string[];
}

export interface WholePlan {
  /** RFC 3339; absent: as new as can be. */
  readonly before?: string;
  readonly parts: readonly WholePart[];
  /** Between the oldest and the newest recovery point. */
  readonly spreadSeconds: number;
  /** What no backup can bring back; it is left as it is. One that is needed ends the restore. */
  readonly missing: readonly { readonly name: string; readonly why: string; readonly needed: boolean }[];
  /** Newer backups that were known or found to be bad, and what this restore itself has found bad. */
  readonly passedOver?: readonly PassedOver[];
  /** How often a backup that is found bad before anything is stopped gives way to an older one, each time by a new plan. */
  readonly fallBacks?: { readonly made: number; readonly most: number };
  /** What has to be thawed, by backup. */
  readonly frozen: readonly (PartSource & { readonly components: readonly string[]; readonly facts: FrozenFacts })[];
}

export interface WholeResult {
  /** What could not be restored and was left as it was. */
  readonly left: readonly { readonly name: string; readonly why: string }[];
  readonly checks: readonly CheckOutcome[];
  readonly reconcile: readonly ReconcileOutcome[];
  /** From the start of the restore until the checks were through; absent when the system did not come back. */
  readonly rto?: {
    readonly seconds: number;
    /** Of it, waiting for a person and for other operations. */
    readonly waitedSeconds: number;
    readonly objectives: readonly JudgedObjective[];
  };
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
}
