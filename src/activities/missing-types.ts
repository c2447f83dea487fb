/** What the workflow that puts back missing files asks of a host. */
import type { MissingCounts, MissingPlan } from '../workflows/missing-contract.ts';

/** `missingId` names everything that is made for it. */
export interface MissingRequest {
  readonly system: string;
  readonly component: string;
  readonly missingId: string;
  readonly paths: readonly string[];
  readonly changed: boolean;
  /** The run that is to be taken back. */
  readonly undo?: string;
}

export interface MissingApplied {
  /** Put back; of an undo, removed. */
  readonly done: MissingCounts;
  readonly replaced: number;
  readonly left: number;
  readonly failed: number;
  readonly firstFailure?: string;
  readonly aside?: string;
  readonly doneFile: string;
}

export interface MissingActivities {
  /**
   * Compares the live tree with a backup; with `bring` what is missing is unpacked beside it. Numbers only: the names
   * stay in a file of the host. A repeat of the same run with the same backup answers the same.
   */
  planMissing(
    input: MissingRequest & { bring: boolean; backup?: string; plan?: string; store?: string },
  ): Promise<MissingPlan>;
  /** Never overwrites: what has appeared or changed since the plan is left and counted. */
  applyMissing(input: MissingRequest): Promise<MissingApplied>;
  /** Removes what lies beside the tree, and without `keepFiles` the lists. */
  discardMissing(input: MissingRequest & { keepFiles: boolean }): Promise<void>;
}
