/** Shapes of putting back only the files that are missing, as people and programs see them. */

export interface MissingInput {
  readonly system: string;
  /** A component of kind `files` or `volume`. */
  readonly component: string;
  /** Comma-separated paths inside its tree, each with all below it. Default: all of it. */
  readonly paths?: string;
  /** Files that differ become as they were in the backup; the present ones are kept aside. Default: they stay. */
  readonly changed?: boolean;
  /** `latest` (default), a backup id, or `before:<RFC 3339 time>`. */
  readonly backup?: string;
  readonly plan?: string;
  readonly store?: string;
  /** The run whose work is to be taken back; what was changed since stays. */
  readonly undo?: string;
  /** `plan` shows what would be done and ends; `restore` (default) does it after approval. */
  readonly mode?: 'plan' | 'restore';
  /** The digest of a preview approved beforehand. */
  readonly approve?: string;
  readonly approvedBy?: string;
}

/** Counts only: the names stand in a file on the host. */
export interface MissingCounts {
  readonly files: number;
  readonly directories: number;
  readonly links: number;
  readonly bytes: number;
}

/** The preview, which a person approves by its digest. */
export interface MissingPlan {
  /** SHA-256 over backup, paths and the list of what would be touched. */
  readonly digest: string;
  readonly affectedSha256: string;
  readonly backup: string;
  readonly manifestKey: string;
  readonly store: string;
  readonly pointAt: string;
  readonly ageSeconds: number;
  readonly component: string;
  readonly kind: string;
  readonly host: string;
  /** The live tree. */
  readonly place: string;
  readonly paths: readonly string[];
  readonly changed: boolean;
  /** The run that is taken back. */
  readonly undoes?: string;
  /** Would be put back; of an undo: would be removed. */
  readonly missing: MissingCounts;
  /** Differ from the backup: stay, or are replaced with `changed`. Of an undo: would become what they were. */
  readonly differ: { readonly files: number; readonly bytes: number };
  /** Files that are as in the backup. */
  readonly same: number;
  /** Not to be put back: something of another kind has the name, or a link stands where a directory was. */
  readonly inTheWay: number;
  /** Of an undo: changed since, so they stay. */
  readonly changedSince?: number;
  /** A file on the host, for its owner only: one line of JSON for each name. */
  readonly listFile: string;
  readonly warnings: readonly string[];
}

export interface MissingResult {
  /** `nothing`: none is missing. `undone`: an earlier run was taken back. */
  readonly outcome: 'planned' | 'restored' | 'undone' | 'nothing' | 'rejected' | 'expired';
  readonly plan: MissingPlan;
  readonly why?: string;
  /** Of an undo: removed. */
  readonly done: MissingCounts;
  readonly replaced: number;
  /** Left alone: something has appeared there, or changed, since the preview. */
  readonly left: number;
  readonly failed: number;
  readonly firstFailure?: string;
  /** Names this run for an undo. */
  readonly run: string;
  /** Where the replaced files lie. */
  readonly aside?: string;
  /** A file on the host with what became of each name. */
  readonly doneFile?: string;
  readonly durationMs?: number;
}
