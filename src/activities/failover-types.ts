/** What the site that takes a system over asks of its own machines, and of the authority store through them. */
import type { AssessRule, VantageReport } from '../policy/failover/assess.ts';
import type { CopyHere, Fencing } from '../policy/failover/decide.ts';
import type { DigestedParts, DigestedTakeover } from '../policy/failover/digest.ts';
import type { Generation } from '../policy/failover/lease.ts';
import type { GenerationOrigin, Origin } from '../policy/failover/lineage.ts';
import type { GivenBack } from '../vault/sites/give-back.ts';
import type { FailoverReport } from '../workflows/failover-contract.ts';

/** Of the section `failover`, what the workflow decides by. */
export interface FailoverSetup {
  readonly system: string;
  readonly site: string;
  /** Of this site, all; the first does what one alone has to do. */
  readonly hosts: readonly string[];
  readonly fencing: Fencing;
  readonly leaseSeconds: number;
  readonly rule: AssessRule;
  readonly rpoSeconds?: number;
  /** Without it a person always approves. */
  readonly automaticDownForSeconds?: number;
  /** The system is asked for through its public name when all is done. */
  readonly publicCheck: boolean;
  /** Names lead to the active site; absent: none are declared. */
  readonly names?: true;
  readonly approvalLimitSeconds: number;
  /** Of a planned change: how long it waits for the active site to stop. */
  readonly answerSeconds: number;
}

export interface FailoverGathered {
  /** `unreadable`: with why. */
  readonly generation: Generation | { readonly unreadable: string } | undefined;
  readonly generations: readonly GenerationOrigin[];
  /** The newest, and all that may be chosen of the newest few hundred. */
  readonly copies: readonly CopyHere[];
  readonly storesUnread: readonly string[];
  readonly notReady: readonly string[];
}

export type RaisedHere =
  | { readonly kind: 'raised'; readonly n: number; readonly sha256: string }
  /** Somebody else has this number. */
  | { readonly kind: 'taken'; readonly n: number; readonly site: string };

export interface FencedBefore {
  readonly fencing: Fencing;
  /** How it is known, in words that stay in the authority store. */
  readonly evidence: string;
}

/** By how a generation was raised: a repeat of the same raise finds its own. */
export interface RaiseOrder {
  readonly system: string;
  readonly n: number;
  readonly raiseId: string;
}

/** Run on the urgent queue: a capture of another system must not hold up a failover. */
export interface FailoverActivities {
  /** Looks from all vantage points; a retry goes on counting where the attempt before it was. */
  assessSite(input: { system: string; looks: number; overMs: number }): Promise<readonly VantageReport[]>;
  /** What the stores and this machine say. Changes nothing. `backup`: only this one counts. */
  gatherFailover(input: { system: string; backup?: string }): Promise<FailoverGathered>;
  /** The guard of this host starts nothing from now on, until a restore has brought the system. A repeat changes nothing. */
  holdSite(input: { system: string }): Promise<void>;
  releaseSite(input: { system: string }): Promise<void>;
  raiseSite(input: RaiseOrder & { origin: Origin; by?: string; digest: string }): Promise<RaisedHere>;
  /** Returns when the site before is fenced as the system file declares. Throws Unfenced when it can't be told. */
  awaitFence(input: { system: string; fromSite: string; attestedBy?: string }): Promise<FencedBefore>;
  clearSite(input: { system: string; n: number; sha256: string; by?: string } & FencedBefore): Promise<void>;
  /**
   * Gives the system back to the site before, under a generation of its own, cleared, since this site never ran; also where
   * `n` was not raised, so that a raise that is still on its way loses. Nothing where somebody else has raised a newer one.
   */
  takeBack(input: RaiseOrder & { toSite: string; before: number; why: string }): Promise<GivenBack>;
  /** Through the public name, until it answers or its time is over. */
  checkPublic(input: { system: string }): Promise<{ readonly ok: boolean; readonly detail: string }>;
  /** Into every store that can be reached, and as a file. */
  keepFailover(input: {
    report: FailoverReport;
  }): Promise<{ readonly key: string; readonly unread: readonly string[] }>;
}

/** Run where the workflow runs. */
export interface FailoverFactsActivities {
  describeFailover(input: { system: string }): Promise<FailoverSetup>;
  /** Workflows have no hash functions. */
  digestFailover(input: { takeover: DigestedTakeover; parts: DigestedParts }): Promise<{ readonly digest: string }>;
}
