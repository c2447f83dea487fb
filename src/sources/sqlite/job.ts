/** What is asked of SQLite, each job on a thread of its own: a large database must not block the event loop. */
import { Worker } from 'node:worker_threads';
import type { FailureCode } from '../../failures.ts';
import { HoldfastError } from '../../failures.ts';
import type { RowsOrder, RowsWritten } from '../rows/sqlite-apply.ts';
import type { RowsQuestion } from '../rows/sqlite-compare.ts';
import type { MergeCounts, MergeOrder } from '../rows/sqlite-merge.ts';
import type { RowsFound } from '../rows/sqlite-preview.ts';

export interface Examination {
  /** What `PRAGMA integrity_check` found; empty when all is well. */
  readonly integrityProblems: readonly string[];
  readonly foreignKeyViolations: number;
  /** Rows of each table; null where they can't be counted (a virtual table whose module is not here). */
  readonly rows: Readonly<Record<string, number | null>>;
  /** Of type, name, table and text of everything in the schema. */
  readonly schemaSha256: string;
  readonly userVersion: number;
  readonly applicationId: number;
  readonly pageSizeBytes: number;
  readonly sizeBytes: number;
}

export interface Jobs {
  /** Copies the database as it is at one moment, in one step, while others go on writing. */
  backup: {
    readonly order: { readonly from: string; readonly to: string };
    readonly result: { readonly pages: number };
  };
  /** Reads a copy that nobody else uses. */
  examine: { readonly order: { readonly path: string }; readonly result: Examination };
  /** Asks a copy that nobody else uses, and can't change it. */
  assert: {
    readonly order: {
      readonly path: string;
      readonly assertions: readonly { readonly name: string; readonly sql: string }[];
    };
    readonly result: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  };
  /** One query of a database that others may use; it can't write. The first rows, and how many there are. */
  ask: {
    readonly order: { readonly path: string; readonly sql: string; readonly most: number };
    readonly result: { readonly rows: readonly (readonly unknown[])[]; readonly count: number };
  };
  /** Brings what lies in the write-ahead log into the file; `busy` when somebody else uses the database. */
  settle: { readonly order: { readonly path: string }; readonly result: { readonly busy: boolean } };
  /** Compares rows of a restored copy with the live ones, and writes to neither. */
  previewRows: { readonly order: RowsQuestion & { readonly keysFile: string }; readonly result: RowsFound };
  /** Makes one copy of several; writes to a scratch copy only. */
  mergeRows: { readonly order: MergeOrder; readonly result: readonly MergeCounts[] };
  /** Puts rows of a restored copy into the live database, in one transaction. */
  applyRows: { readonly order: RowsOrder; readonly result: RowsWritten };
}

export type JobOrder = { readonly [K in keyof Jobs]: { readonly job: K } & Jobs[K]['order'] }[keyof Jobs];

export type JobAnswer =
  | { readonly kind: 'done'; readonly result: Jobs[keyof Jobs]['result'] }
  | { readonly kind: 'failed'; readonly errcode: number; readonly message: string; readonly failure?: SqliteFailure };

/** A failure that the thread itself put into the catalogue's words. */
export interface SqliteFailure {
  readonly code: FailureCode;
  readonly hint: string;
}

const WORDS: Readonly<Record<keyof Jobs, string>> = {
  backup: 'back up',
  examine: 'examine',
  assert: 'ask',
  ask: 'ask',
  settle: 'settle',
  previewRows: 'compare rows with',
  mergeRows: 'merge rows of',
  applyRows: 'put rows back into',
};

/** SQLite's primary result codes (sqlite.org/rescode.html) as failures. */
const CODES: Readonly<Record<number, FailureCode>> = {
  3: 'PermissionDenied',
  5: 'SourceChanging',
  6: 'SourceChanging',
  8: 'PermissionDenied',
  11: 'SourceCorrupt',
  13: 'DiskFull',
  14: 'PermissionDenied',
  26: 'SourceCorrupt',
};

/**
 * Runs one job to its end. Aborting, or the deadline, ends its thread. Throws SourceCorrupt, SourceChanging (locked for
 * longer than the deadline, too), PermissionDenied, DiskFull, the signal's reason.
 */
export async function runSqlite<K extends keyof Jobs>(
  job: K,
  order: Jobs[K]['order'],
  options: { readonly signal: AbortSignal; readonly deadlineMs?: number; readonly about: string },
): Promise<Jobs[K]['result']> {
  options.signal.throwIfAborted();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { job, ...order } });
  const stop = Promise.withResolvers<never>();
  const onAbort = (): void => stop.reject(asError(options.signal.reason));
  const timer =
    options.deadlineMs === undefined ? undefined : setTimeout(() => stop.reject(late(options)), options.deadlineMs);
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = await Promise.race([stop.promise, answerOf(worker)]);
    if (answer.kind === 'done') return answer.result;
    if (answer.failure !== undefined) {
      throw new HoldfastError(answer.failure.code, answer.message, { hint: answer.failure.hint });
    }
    throw new HoldfastError(
      CODES[answer.errcode & 0xff] ?? 'Internal',
      `SQLite could not ${WORDS[job]} ${options.about}: ${answer.message}`,
      { details: { errcode: answer.errcode } },
    );
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

async function answerOf(worker: Worker): Promise<JobAnswer> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', (error: unknown) => reject(asError(error)));
    worker.once('exit', () => reject(new HoldfastError('Internal', 'The SQLite thread ended early')));
  });
}

function late(options: { readonly deadlineMs?: number; readonly about: string }): HoldfastError {
  const seconds = Math.round((options.deadlineMs ?? 0) / 1000);
  return new HoldfastError('SourceChanging', `${options.about} stayed locked for ${seconds} s`);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
