/** What the search for a clean backup asks of the hosts. Names of files stay there. */
import type { CleanCheck } from '../policy/clean-point.ts';
import type { Beside } from '../sources/kinds/component.ts';
import type { BackupVerdict, CleanPointInput, CleanPointResult } from '../workflows/clean-point-contract.ts';

export interface CleanCandidate {
  readonly backup: string;
  readonly manifestKey: string;
  readonly pointAt: string;
  /** Why it can't be looked at. */
  readonly skip?: string;
  readonly components: readonly {
    readonly name: string;
    /** The same in two backups: the same bytes in both. */
    readonly content: string;
    readonly changes?: CleanCheck;
  }[];
}

export interface CleanSearch {
  readonly store: string;
  /** Where the names of what is found lie. */
  readonly evidence: string;
  readonly components: readonly {
    readonly name: string;
    readonly kind: string;
    readonly host: string;
    readonly profiled: boolean;
  }[];
  /** Newest first. */
  readonly candidates: readonly CleanCandidate[];
  readonly bisect: boolean;
  readonly limitSeconds: number;
  readonly warnings: readonly string[];
}

export interface CleanPointActivities {
  /** What is to be looked at, by what was asked and by the system file. Throws BadInput when nothing could judge, NoRoom for the copies. */
  planCleanPoint(input: CleanPointInput & { searchId: string }): Promise<CleanSearch>;
  /** Asks command and queries of a copy, and notes what its files look like. */
  lookClean(input: {
    system: string;
    searchId: string;
    backup: string;
    beside: Beside;
    command?: string;
    query?: string;
    profile: boolean;
  }): Promise<readonly CleanCheck[]>;
  /** The files of one backup against those of an earlier one, by what was noted of both. */
  compareClean(input: {
    system: string;
    searchId: string;
    component: string;
    /** Absent: there is none, and only names can tell. */
    earlier?: string;
    later: string;
  }): Promise<CleanCheck>;
  /** Into every store that can be reached, signed, and beside the system's state. Repeatable. */
  reportCleanPoint(input: {
    system: string;
    searchId: string;
    atMs: number;
    verdicts: readonly BackupVerdict[];
    notLooked: CleanPointResult['notLooked'];
    newestClean?: string;
  }): Promise<{ report: string; reportFile: string }>;
}
