/** The backups that rows are merged from, one after another: what is broken is left out with a word. */
import { HoldfastError, type FailureCode } from '../../failures.ts';
import type { RowsMerged } from '../../workflows/rows-contract.ts';
import type { RowsBackup, RowsSource } from './rows-kind.ts';

/** Failures of what is in a backup; others say nothing of it. */
const BROKEN: readonly FailureCode[] = [
  'ArchiveBroken',
  'CheckFailed',
  'ObjectCorrupt',
  'ObjectMissing',
  'SourceCorrupt',
];

export interface Merging {
  /** The first that is whole. */
  base(source: RowsSource): Promise<readonly Counts[]>;
  older(source: RowsSource): Promise<readonly Counts[]>;
}

type Counts = Omit<RowsMerged, 'backup' | 'pointAt'>;

/** Newest first. Throws what the last one said when none is whole. */
export async function mergeAll(
  backup: RowsBackup,
  merging: Merging,
  signal: AbortSignal,
): Promise<{ merged: RowsMerged[]; warnings: string[] }> {
  const merged: RowsMerged[] = [];
  const warnings: string[] = [];
  let failure: HoldfastError | undefined;
  for (const source of backup.sources ?? []) {
    signal.throwIfAborted();
    try {
      const counts = merged.length === 0 ? await merging.base(source) : await merging.older(source);
      merged.push(...counts.map((one) => ({ backup: source.backup, pointAt: source.pointAt, ...one })));
    } catch (error) {
      if (!(error instanceof HoldfastError) || !BROKEN.includes(error.code)) throw error;
      failure = error;
      warnings.push(`backup ${source.backup} of ${source.pointAt} is left out: ${error.message}`);
    }
  }
  if (merged.length === 0) throw failure ?? new HoldfastError('BackupMissing', 'there is no backup to merge from');
  return { merged, warnings };
}

/** One name for what several backups and a condition come to. */
export function mergeKey({ sources = [] }: RowsBackup, valid: string | undefined): string {
  return [...sources.map(({ manifestKey }) => manifestKey), valid ?? ''].join('\n');
}
