/** Taking a system over from another site, as people and programs meet it from outside. */
import type { Assessment } from '../policy/failover/assess.ts';
import type { Fencing } from '../policy/failover/decide.ts';
import type { DnsPlan } from '../policy/failover/dns-plan.ts';
import type { Standing } from '../policy/failover/dns-standing.ts';
import type { RestorePlan } from './contract.ts';

export interface FailoverInput {
  readonly system: string;
  /** `plan` looks, decides, prints and ends; `failover` (default) does it. */
  readonly mode?: 'plan' | 'failover';
  /** The active site is there, stops and makes a last backup: nothing is lost. */
  readonly planned?: boolean;
  /** With `planned`, a rehearsal: so long after it was handed over, the other site takes it back by itself. */
  readonly backAfterSeconds?: number;
  /** With `planned`: the way back of a rehearsal, which was approved with it. The generation that was handed over. */
  readonly backOf?: number;
  /** `before:<RFC 3339 time>`: what was written later is given up on purpose. Default: the newest of each component. */
  readonly backup?: string;
  /** With `fencing: attested`: who takes it upon himself that the site before is stopped. Default: who approves. */
  readonly attestedBy?: string;
  /** The digest of a plan that was printed and approved before. */
  readonly approve?: string;
  readonly approvedBy?: string;
  /** How often an older backup is taken without asking again, when one is found bad. Default 0: each is asked for. */
  readonly fallBacksUnasked?: number;
  /** Of the watch of this site, which has started so many in vain: a refusal is told the first time only. */
  readonly inVain?: number;
}

/** What a person approves. */
export interface FailoverPlan {
  /** SHA-256 over ids and actions, never over ages: of the takeover, of the restore, of the names. */
  readonly digest: string;
  readonly system: string;
  /** The one that takes over. */
  readonly site: string;
  readonly from: { readonly generation: number; readonly site: string };
  readonly nextGeneration: number;
  readonly fencing: Fencing;
  readonly approval: 'person' | 'automatic';
  readonly copy: {
    readonly backup: string;
    readonly store: string;
    readonly generation: number;
    readonly pointAt: string;
    readonly proved?: string;
  };
  readonly passedOver: readonly { readonly backup: string; readonly store: string; readonly why: string }[];
  /** What was written since is lost: by this site's clock. Of what the system can't be without, the oldest. */
  readonly dataLossSeconds: number;
  /** The active site is asked to stop, and makes a last backup: that is restored, and nothing is lost. */
  readonly planned?: { readonly answerSeconds: number; readonly backAfterSeconds?: number };
  readonly rpoSeconds?: number;
  readonly meetsRpo?: boolean;
  readonly assessment: Assessment;
  readonly reasons: readonly string[];
  readonly storesUnread: readonly string[];
  readonly restore: RestorePlan;
  /** Absent: none are declared, or they could not be planned, which `reasons` says. */
  readonly names?: DnsPlan;
}

/** What became of the names. */
export interface NamesLed {
  readonly ok: boolean;
  /** Who was asked and what was answered, or what went wrong and what is to be done. */
  readonly lines: readonly string[];
  /** Of each entry of `failover.dns` that was planned, where its names lead. Absent in runs of before. */
  readonly entries?: readonly { readonly title: string; readonly standing: Standing }[];
  /** Until then a resolver may still give the old answer. */
  readonly oldAnswerUntil?: string;
}

export interface FailoverPhase {
  readonly name: string;
  readonly seconds: number;
}

/** How long it took until the system was back; `waited` apart, since no machine can make it shorter. */
export interface MeasuredFailover {
  readonly seconds: number;
  readonly waited: {
    readonly approvalSeconds: number;
    /** Until the site before was known to be fenced. */
    readonly fenceSeconds: number;
    readonly namesSeconds: number;
    /** Of a planned change: until the other site had stopped, with its last backup. */
    readonly handoverSeconds?: number;
  };
  /** Without what was waited for. */
  readonly ownSeconds: number;
}

export interface FailoverResult {
  /**
   * `refused`: by the facts, with reasons; nothing was changed. `rolled-back`: a step failed before the start, and the
   * generation was given back. `done`: the system runs here; `ok` says whether all that followed was well, too.
   */
  readonly outcome: 'planned' | 'refused' | 'rejected' | 'expired' | 'rolled-back' | 'done';
  readonly ok?: boolean;
  readonly why?: string;
  readonly reasons?: readonly string[];
  readonly assessment?: Assessment;
  readonly plan?: FailoverPlan;
  /** That is in force when it has ended. */
  readonly generation?: { readonly n: number; readonly site: string };
  readonly fence?: { readonly fencing: Fencing; readonly evidence: string };
  readonly names?: NamesLed;
  readonly publicCheck?: { readonly ok: boolean; readonly detail: string };
  readonly rto?: MeasuredFailover;
  /** Of a planned change: from when the other site stopped until the system was asked here. */
  readonly planned?: { readonly downSeconds: number };
  readonly phases?: readonly FailoverPhase[];
  /** Of the report, in the stores. */
  readonly reportKey?: string;
  readonly warnings?: readonly string[];
}

/** The record that is kept, signed, in the stores. */
export interface FailoverReport {
  readonly system: string;
  readonly failoverId: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly outcome: 'done' | 'rolled-back';
  readonly ok: boolean;
  readonly site: string;
  readonly from: { readonly generation: number; readonly site: string };
  readonly generation: { readonly n: number; readonly site: string };
  readonly digest: string;
  readonly approvedBy: string;
  /** Where the names led when it had ended; absent where none were led. */
  readonly names?: readonly { readonly title: string; readonly standing: string }[];
  readonly fencing: Fencing;
  readonly evidence?: string;
  readonly backups: readonly string[];
  readonly dataLossSeconds: number;
  readonly rpoSeconds?: number;
  readonly rto?: MeasuredFailover;
  readonly planned?: { readonly downSeconds: number };
  readonly phases: readonly FailoverPhase[];
  readonly why?: string;
  readonly warnings: readonly string[];
}
