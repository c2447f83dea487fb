/** Where the files of one putting-back of rows lie on the host: one directory, closed to others, named after its id. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../failures.ts';
import { readJson, removeDurably, writeJsonDurably } from '../durable.ts';
import { exists } from '../replacement.ts';
import type { RowsMerged } from '../../workflows/rows-contract.ts';
import type { RowsCopy } from './rows-kind.ts';

export interface RowsFiles {
  readonly directory: string;
  /** A SQLite copy of the backup. */
  readonly copy: string;
  /** The keys of the rows concerned. */
  readonly keys: string;
  /** Rows as they were before they were replaced. */
  readonly replaced: string;
  /** What is about to be written, noted before it is. */
  readonly intent: string;
  /** How a table that is gone is made again. */
  readonly creation: string;
}

export async function rowsFiles(stateDirectory: string, rowsId: string): Promise<RowsFiles> {
  if (!/^[\w.-]+$/.test(rowsId)) throw new HoldfastError('BadInput', `${rowsId} can't be part of a file name`);
  const directory = join(stateDirectory, 'rows', rowsId);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return {
    directory,
    copy: join(directory, 'copy.sqlite'),
    keys: join(directory, 'keys.jsonl'),
    replaced: join(directory, 'replaced.jsonl'),
    intent: join(directory, 'intent'),
    creation: join(directory, 'creation.json'),
  };
}

export interface CopyRecord {
  readonly manifestKey: string;
  /** A file, or a database. */
  readonly place: string;
  /** Of PostgreSQL: the live one. */
  readonly database?: string;
  /** False while it is being made. */
  readonly whole: boolean;
  /** It was asked for to stay. */
  readonly keep?: boolean;
  readonly pointAt?: string;
  readonly merged?: readonly RowsMerged[];
  readonly warnings?: readonly string[];
}

/** What is told of a copy, by its record. */
export function copyOf({ place, pointAt, merged, warnings = [] }: CopyRecord): RowsCopy {
  return {
    place,
    warnings,
    ...(pointAt === undefined ? {} : { pointAt }),
    ...(merged === undefined ? {} : { merged }),
  };
}

/** What is noted of the copy. */
export async function copyRecord({ directory }: RowsFiles): Promise<CopyRecord | undefined> {
  return (await readJson(join(directory, 'copy.json'))) as CopyRecord | undefined;
}

export async function noteCopy({ directory }: RowsFiles, record: CopyRecord): Promise<void> {
  await writeJsonDurably(join(directory, 'copy.json'), record);
}

/** What one putting-back of rows has left on this host; undefined: no copy. Nothing is made by asking. */
export async function leftOfRows(
  stateDirectory: string,
  rowsId: string,
): Promise<{ readonly keep: boolean; readonly mayHaveWritten: boolean } | undefined> {
  const directory = join(stateDirectory, 'rows', rowsId);
  const record = (await readJson(join(directory, 'copy.json'))) as CopyRecord | undefined;
  if (record === undefined) return undefined;
  return { keep: record.keep === true, mayHaveWritten: await exists(join(directory, 'intent')) };
}

/** First the note, then what it is about: a copy without a note is not whole. */
export async function forgetCopy({ directory }: RowsFiles): Promise<void> {
  await removeDurably(join(directory, 'copy.json'));
}

/** The keys and the replaced rows stay, when they are to, for the person who asks what was done. */
export async function removeFiles(files: RowsFiles, keepFiles: boolean): Promise<void> {
  await forgetCopy(files);
  if (!keepFiles) return rm(files.directory, { recursive: true, force: true });
  for (const path of [`${files.copy}.older`, files.copy, `${files.copy}-journal`, files.intent, files.creation])
    await rm(path, { force: true });
}
