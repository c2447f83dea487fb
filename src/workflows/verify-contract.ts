/** Shapes of `verifyStore`: what people and programs use from outside. */

export interface VerifyStoreInput {
  readonly system: string;
  /** Default: every store of the system, one after another. */
  readonly store?: string;
  /** Default content; a store of an archive class is only looked at for presence. */
  readonly level?: 'presence' | 'content';
  /** All of it; default the share that is due, and with `presence` all of it. */
  readonly all?: boolean;
  /** Bad objects are replaced from another store, or put aside so that the next capture stores them again. */
  readonly heal?: boolean;
}

/** What was found in one store. */
export interface StoreVerdict {
  readonly store: string;
  readonly level: 'presence' | 'content';
  readonly ok: boolean;
  /** Of 256 parts, how many were looked at. */
  readonly parts: number;
  readonly objectsChecked: number;
  readonly bytesChecked: number;
  /** Objects that no backup names and nothing tells anything about. */
  readonly unjudged: number;
  /** Content was also opened with the identity, not only compared with its checksum. */
  readonly opened: boolean;
  readonly bad: readonly {
    readonly key: string;
    readonly code: string;
    readonly what: string;
    /** Backups that need it, at most some; `backupCount` says of how many. */
    readonly backups: readonly string[];
    readonly backupCount: number;
    /** `removed`: put aside, so that the next capture stores it again. */
    readonly outcome: 'found' | 'healed' | 'removed' | 'left';
    readonly from?: string;
  }[];
  readonly moreBad: number;
  /** Everything in it was read back since then; absent while a part never was. */
  readonly completeSince?: string;
  /** Of the store, from 0 to 1: what was ever read back. */
  readonly fraction: number;
  readonly note?: string;
}

export interface VerifyStoreResult {
  readonly ok: boolean;
  readonly stores: readonly StoreVerdict[];
  /** Stores that could not be asked; the others were looked at. */
  readonly failed: readonly { readonly store: string; readonly code: string; readonly message: string }[];
}
