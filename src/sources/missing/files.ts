/** Where the files of one putting-back lie on the host: one directory, closed to others, named after its id. */
import { createReadStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HoldfastError } from '../../failures.ts';
import type { MissingCounts } from '../../workflows/missing-contract.ts';
import { byteString, bytesOf, displayName, type ByteString } from '../byte-string.ts';
import { readJson, writeJsonDurably } from '../durable.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import type { EntryKind } from './compare.ts';

export interface MissingFiles {
  readonly directory: string;
  /** What is missing or differs, one line each, a directory before what is in it. */
  readonly list: string;
  /** What became of each. */
  readonly done: string;
  /** What an undo would take back. */
  readonly undo: string;
}

export async function missingFiles(stateDirectory: string, id: string): Promise<MissingFiles> {
  if (!/^[\w.-]+$/.test(id)) throw new HoldfastError('BadInput', `${id} can't be part of a file name`);
  const directory = join(stateDirectory, 'missing', id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return {
    directory,
    list: join(directory, 'list.jsonl'),
    done: join(directory, 'done.jsonl'),
    undo: join(directory, 'undo.jsonl'),
  };
}

/** Ids of what was put back, or was to be, on this host. */
export async function missingIds(stateDirectory: string): Promise<string[]> {
  try {
    return await readdir(join(stateDirectory, 'missing'));
  } catch (error) {
    if (isMissing(error)) return [];
    throw failureOf(error, `read ${stateDirectory}`);
  }
}

/** A name as a line holds it: text, and where the bytes are no UTF-8 these too. */
export interface ListedName {
  readonly path: string;
  readonly pathBase64?: string;
}

export function listedName(path: ByteString): ListedName {
  const text = displayName(path);
  if (byteString(text) === path) return { path: text };
  return { path: text, pathBase64: bytesOf(path).toString('base64') };
}

export function pathOf({ path, pathBase64 }: ListedName): ByteString {
  return pathBase64 === undefined ? byteString(path) : byteString(Buffer.from(pathBase64, 'base64'));
}

/** What a file is known by: numbers as text. The change time moves with every rename, so that it is not always given. */
export interface FilePrint {
  readonly inode: string;
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  readonly ctimeNs?: string;
}

export interface ListLine extends ListedName {
  readonly what: 'missing' | 'differs';
  readonly kind: EntryKind;
  readonly bytes: number;
  /** The live file that differs. */
  readonly live?: FilePrint;
}

export interface DoneLine extends ListedName {
  /** `left`: something was there, or had changed. */
  readonly became: 'put back' | 'replaced' | 'left' | 'failed';
  readonly kind: EntryKind;
  readonly bytes: number;
  readonly why?: string;
  /** As it lies there now. */
  readonly print?: FilePrint;
}

export interface UndoLine extends ListedName {
  readonly what: 'remove' | 'return' | 'changed since';
  readonly kind: EntryKind;
  readonly bytes: number;
  readonly print?: FilePrint;
}

/** Lines of a file that was written whole. */
export async function* linesOf<T>(file: string): AsyncGenerator<T, void, undefined> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  for await (const line of lines) if (line !== '') yield JSON.parse(line) as T;
}

/** What is noted of one putting-back. */
export interface MissingRecord {
  readonly format: 1;
  readonly component: string;
  readonly manifestKey: string;
  /** What paths count from. */
  readonly base: string;
  /** Hidden, on the same filesystem: what is missing, as it was in the backup. */
  readonly work: string;
  /** Hidden, beside it: what was live and has been replaced. */
  readonly aside: string;
  /** Not even the directory itself is there. */
  readonly rootIsGone?: boolean;
  /** The preview; absent while it is being made. */
  readonly preview?: Preview;
  /** All that is missing lies in `work`. */
  readonly brought?: boolean;
  readonly applied?: Applied;
  /** When that was, so that what was kept aside can go in time. */
  readonly appliedAtMs?: number;
  readonly undone?: Applied;
}

export interface Preview {
  readonly affectedSha256: string;
  readonly missing: MissingCounts;
  readonly differ: { readonly files: number; readonly bytes: number };
  readonly same: number;
  readonly inTheWay: number;
  readonly warnings: readonly string[];
}

export interface Applied {
  readonly done: MissingCounts;
  readonly replaced: number;
  readonly left: number;
  readonly failed: number;
  readonly firstFailure?: string;
}

export async function readRecord({ directory }: MissingFiles): Promise<MissingRecord | undefined> {
  return (await readJson(join(directory, 'record.json'))) as MissingRecord | undefined;
}

export async function writeRecord({ directory }: MissingFiles, record: MissingRecord): Promise<MissingRecord> {
  await writeJsonDurably(join(directory, 'record.json'), record);
  return record;
}

/** Counts as they grow. */
export class Tally {
  private files = 0;
  private directories = 0;
  private links = 0;
  private bytes = 0;

  add(kind: EntryKind, bytes: number): void {
    if (kind === 'directory') this.directories += 1;
    else if (kind === 'symlink') this.links += 1;
    else this.files += 1;
    this.bytes += bytes;
  }

  counts(): MissingCounts {
    return { files: this.files, directories: this.directories, links: this.links, bytes: this.bytes };
  }
}
