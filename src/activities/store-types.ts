/** What the activities that maintain stores give and take: copies, prunes. */

/** What a workflow needs to know of a store that copies go to. */
export interface CopyFacts {
  /** That maintains the target. */
  readonly host: string;
}

export interface CopyTurnInput {
  readonly system: string;
  readonly target: string;
  /** One backup alone, whatever the target's retention says. */
  readonly backup?: string;
  /** Only from this store. */
  readonly source?: string;
}

/** What one turn of copying has done, and whether there is more. */
export interface CopyTurn {
  /** Backups that the target still lacks. 0: it holds what it should. */
  readonly left: number;
  readonly backups: number;
  readonly objects: number;
  readonly bytes: number;
  readonly replaced: number;
  readonly walPieces: number;
  readonly walBytes: number;
  /** Backups and pieces of log that can't be copied, with why; at most 20, then the count. */
  readonly refused: readonly { readonly what: string; readonly why: string }[];
  readonly refusedCount: number;
  /** Newest backups whose presence in the target was checked. */
  readonly verified: readonly { readonly backup: string; readonly ok: boolean }[];
  /** Stores that did not answer and were not needed. */
  readonly silent: readonly { readonly store: string; readonly why: string }[];
}

/** Run on the host's queue for copies. */
export interface CopyActivities {
  /** Copies what the target lacks until it lacks nothing, or the turn's time is over. */
  copyTurn(input: CopyTurnInput): Promise<CopyTurn>;
}

/** What a prune of a store would do, or does. Lists are cut; their counts are not. */
export interface PruneSummary {
  /** Over the manifests that go. */
  readonly digest: string;
  readonly keeps: number;
  readonly removesCount: number;
  readonly removes: readonly {
    readonly backup: string;
    readonly plan: string;
    readonly startedAt: string;
    readonly why: string;
  }[];
  readonly freesObjects: number;
  readonly freesBytes: number;
  /** Keys of epochs that nothing uses and old objects put aside: how many go, and some of them with why. */
  readonly leftoversCount?: number;
  readonly leftovers?: readonly string[];
  /** Why a person is asked first. */
  readonly asks: readonly string[];
  readonly anomaliesCount: number;
  readonly anomalies: readonly string[];
  /** Why no object may be deleted. */
  readonly blocked: readonly string[];
}

/** Run on the maintaining host's queue for copies: a sweep that waits for a capture must not hold the capture's slot. */
export interface PruneActivities {
  planPrune(input: { system: string; store: string; minimumAgeSeconds?: number }): Promise<PruneSummary>;
  /** Without `sweep` there was nothing to do. `runId` and its time name the sweep, so that a repeat finds it. */
  condemnPruned(input: {
    system: string;
    store: string;
    runId: string;
    startedAtMs: number;
    digest: string;
    minimumAgeSeconds?: number;
  }): Promise<{ sweep?: string; backups: number; lockedBackups: number }>;
  sweepCondemned(input: { system: string; store: string; sweep: string }): Promise<{
    outcome: 'swept' | 'gave-way';
    to: readonly string[];
    objects: number;
    bytes: number;
    locked: number;
    settled: number;
    /** Of write-ahead logs. */
    walObjects?: number;
    walBytes?: number;
    /** Keys of epochs, and what was put aside. */
    leftovers?: number;
  }>;
  /** Makes the locks longer of what trusted backups need; undefined for a store that locks nothing. */
  keepLocks(input: { system: string; store: string }): Promise<PrunedLocks | undefined>;
}

export interface PrunedLocks {
  /** Objects that are to stay. */
  readonly kept: number;
  readonly extended: number;
  /** RFC 3339. */
  readonly until: string;
}
