/** What a kind of component with tables can do with single rows of a backup. One file a kind; `index.ts` joins them. */
import type { ArtifactReader } from '../../part.ts';
import type { Component } from '../../system/types.ts';
import type { RowsMerged, RowsTable } from '../../workflows/rows-contract.ts';
import type { KindContext, RestoreTarget } from '../kinds/component.ts';

export interface RowsAsk {
  /** Names everything made for it, so that a repeat finds it. */
  readonly rowsId: string;
  /** As typed: names separated by commas. */
  readonly table: string;
  readonly where?: string;
  /** What holds of a good row. */
  readonly valid?: string;
  readonly onChanged: 'keep' | 'restore';
  readonly database?: string;
}

/** One of several backups. */
export interface RowsSource {
  readonly backup: string;
  readonly pointAt: string;
  readonly manifestKey: string;
  artifacts(): Promise<readonly ArtifactReader[]>;
}

/** Where the rows come from. */
export interface RowsBackup extends Pick<RestoreTarget, 'recoverTo' | 'wal'> {
  readonly manifestKey: string;
  artifacts(): Promise<readonly ArtifactReader[]>;
  /** The copy is to stay when the run is over. */
  readonly keep: boolean;
  /** Several backups, newest first, that are made one; the first of them is this one. */
  readonly sources?: readonly RowsSource[];
}

/** The separate database that a backup was restored into. */
export interface RowsCopy {
  readonly place: string;
  /** Of what moment it is, RFC 3339, where recovery has found that out. */
  readonly pointAt?: string;
  readonly merged?: readonly RowsMerged[];
  readonly warnings: readonly string[];
}

export interface RowsPreview {
  readonly affectedSha256: string;
  readonly tables: readonly RowsTable[];
  /** A file on this host, for its owner only. */
  readonly keysFile: string;
  readonly warnings: readonly string[];
}

export interface RowsApplied {
  readonly added: number;
  readonly replaced: number;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly replacedFile?: string;
  readonly warnings: readonly string[];
}

/** Every method is safe to repeat after a crash at any line. Only `apply` writes to what is live. */
export interface RowsKind<C extends Component = Component> {
  /** One that is there already, whole and of the same backup, is kept. Throws CheckFailed when it is not as captured. */
  bring(component: C, backup: RowsBackup, ask: RowsAsk, context: KindContext): Promise<RowsCopy>;
  preview(component: C, ask: RowsAsk, context: KindContext): Promise<RowsPreview>;
  /**
   * In one transaction, when the rows concerned are still those of `affectedSha256` (else PlanChanged). What an earlier
   * attempt has committed is found and told, and not done again.
   */
  apply(component: C, ask: RowsAsk & { readonly affectedSha256: string }, context: KindContext): Promise<RowsApplied>;
  /** Removes what was made for it; with `keepFiles` the files about the rows stay. */
  discard(
    component: C,
    ask: Pick<RowsAsk, 'rowsId' | 'database'>,
    keepFiles: boolean,
    context: KindContext,
  ): Promise<void>;
}
