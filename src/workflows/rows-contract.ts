/** Shapes of putting single rows of a table back, as people and programs see them. */

export interface RowsInput {
  readonly system: string;
  readonly component: string;
  /** One table, or several separated by commas: `deposits`, `public.deposits`, `"odd, name"`. */
  readonly table: string;
  /**
   * A condition in SQL on the rows of the backup, such as `user_id = 7`. For several tables it holds for each of them, or
   * each has its own: `users: id = 7; deposits: user_id = 7`. It stands in the history: no secrets. Default: all rows.
   */
  readonly where?: string;
  /**
   * Several backups made one, newest first: for each key the newest row that is valid. Comma-separated ids, or how many
   * from the newest on.
   */
  readonly from?: string;
  readonly backups?: number;
  /**
   * What holds of a good row, as `where` is written. Rows of backups that are not are passed over; live rows that are stay,
   * and with `onChanged` `restore` those that are not become as in the backups.
   */
  readonly valid?: string;
  /** Rows that differ stay as they are live (`keep`, the default), or become as they were in the backup (`restore`). */
  readonly onChanged?: 'keep' | 'restore';
  /** `latest` (default), a backup id, or `before:<RFC 3339 time>`. */
  readonly backup?: string;
  readonly plan?: string;
  readonly store?: string;
  /**
   * For a database cluster with its log: `end`, `time:<RFC 3339>`, `lsn:<LSN>` or `name:<restore point>`. Default: as at
   * the backup.
   */
  readonly recoverTo?: string;
  /** Of a PostgreSQL component that has several. */
  readonly database?: string;
  /** `plan` shows what would change and ends; `restore` (default) does it after approval. */
  readonly mode?: 'plan' | 'restore';
  /** The digest of a preview approved beforehand. */
  readonly approve?: string;
  readonly approvedBy?: string;
  /** Keeps the separate database that the backup was restored into, for inspection. */
  readonly keepCopy?: boolean;
}

/** What one of several backups gave to one table. */
export interface RowsMerged {
  readonly backup: string;
  readonly pointAt: string;
  readonly table: string;
  /** Valid, and in no newer one. */
  readonly taken: number;
  /** Not valid there. */
  readonly invalid: number;
  /** Valid, and otherwise in a newer one, which counts. */
  readonly differs: number;
}

/** What would happen to one table. Counts only: which rows they are stands in a file on the host. */
export interface RowsTable {
  readonly table: string;
  /** How a row of the backup is recognised among the live ones. */
  readonly matchedBy: 'primary key' | 'unique key' | 'whole row';
  readonly key: readonly string[];
  /** In the backup, for the condition. */
  readonly selected: number;
  /** Not there live: would be added. */
  readonly missing: number;
  /** There live, but different. */
  readonly changed: number;
  readonly changedColumns: readonly { readonly column: string; readonly rows: number }[];
  /** Would break a constraint, so they are left out. */
  readonly conflicts: readonly {
    readonly kind: 'unique' | 'foreign key';
    readonly constraint: string;
    readonly rows: number;
    readonly why: string;
  }[];
  readonly same: number;
  /** What a person should know: triggers that fire, columns that one side lacks. */
  readonly notes: readonly string[];
}

/** The preview, which a person approves by its digest. */
export interface RowsPlan {
  /** SHA-256 over backup, tables, conditions and the keys of the rows that would be touched. */
  readonly digest: string;
  /** SHA-256 over the keys of the rows that would be touched, and what happens to each. */
  readonly affectedSha256: string;
  readonly backup: string;
  readonly manifestKey: string;
  readonly store: string;
  readonly pointAt: string;
  /** Where recovery of a database cluster ended, when that is not its backup. */
  readonly recoverTo?: string;
  readonly ageSeconds: number;
  readonly component: string;
  readonly kind: string;
  readonly host: string;
  readonly database?: string;
  readonly where?: string;
  /** Of several backups: what each gave. Valid live rows are not in it any more. */
  readonly merged?: readonly RowsMerged[];
  readonly valid?: string;
  readonly onChanged: 'keep' | 'restore';
  readonly tables: readonly RowsTable[];
  /** The separate database to inspect: a file on the host, or a database on the same server. */
  readonly copy: string;
  /** A file on the host, for its owner only, with the keys of the rows concerned. */
  readonly keysFile: string;
  readonly warnings: readonly string[];
}

export interface RowsResult {
  /** `nothing`: no row is missing, or none that could be put back. */
  readonly outcome: 'planned' | 'restored' | 'nothing' | 'rejected' | 'expired';
  readonly plan: RowsPlan;
  readonly why?: string;
  readonly added: number;
  readonly replaced: number;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  /** The separate database, when it was kept. */
  readonly copy?: string;
  /** A file on the host, for its owner only, with the rows as they were before they were replaced. */
  readonly replacedFile?: string;
  readonly durationMs?: number;
  readonly warnings?: readonly string[];
}
