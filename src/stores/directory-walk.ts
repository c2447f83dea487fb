/** Lists a directory tree as keys in byte order, as an object store would. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dirent, Stats } from 'node:fs';
import { isMissing } from './directory-errors.ts';
import { isSegment, TEMPORARY_AREA } from './keys.ts';
import type { ObjectInfo } from './store.ts';

/** Files looked at together: enough to hide the latency of a NAS. */
const BATCH = 64;

export interface WalkOptions {
  readonly root: string;
  readonly prefix: string;
  readonly startAfter: string;
  readonly signal: AbortSignal | undefined;
  /** The information about a file, by its key. */
  readonly describe: (key: string, stat: Stats) => ObjectInfo;
}

interface Entry {
  /** The key, with `/` at the end for a directory: so sorting by it is the order of the keys below it. */
  readonly sortKey: string;
  readonly path: string;
  readonly directory: boolean;
}

export async function* walk(options: WalkOptions): AsyncGenerator<ObjectInfo> {
  // Nothing outside the directory that the prefix names has to be read.
  const start = options.prefix.slice(0, options.prefix.lastIndexOf('/') + 1);
  yield* walkDirectory(options, start);
}

async function* walkDirectory(options: WalkOptions, base: string): AsyncGenerator<ObjectInfo> {
  options.signal?.throwIfAborted();
  const entries = (await readEntries(options.root, base)).filter((entry) => isWanted(entry, options));
  for (let at = 0; at < entries.length;) {
    const entry = entries[at];
    if (entry?.directory === true) {
      yield* walkDirectory(options, entry.sortKey);
      at += 1;
      continue;
    }
    const files = runOfFiles(entries, at);
    at += files.length;
    options.signal?.throwIfAborted();
    for (const info of await Promise.all(files.map((file) => describeFile(file, options)))) {
      if (info !== undefined) yield info;
    }
  }
}

async function readEntries(root: string, base: string): Promise<Entry[]> {
  let found: Dirent[];
  try {
    found = await readdir(join(root, base), { withFileTypes: true });
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw cause;
  }
  const fitting = found.filter((entry) => isSegment(entry.name) && !(base === '' && entry.name === TEMPORARY_AREA));
  const entries = await Promise.all(fitting.map((entry) => toEntry(root, base, entry)));
  return entries.filter((entry) => entry !== undefined).sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
}

async function toEntry(root: string, base: string, entry: Dirent): Promise<Entry | undefined> {
  const path = join(root, base, entry.name);
  const kind = entry.isFile() || entry.isDirectory() || entry.isSymbolicLink() ? entry : await lstatOrMissing(path);
  if (kind?.isDirectory() === true) return { sortKey: `${base}${entry.name}/`, path, directory: true };
  // Links and special files are never objects.
  return kind?.isFile() === true ? { sortKey: `${base}${entry.name}`, path, directory: false } : undefined;
}

function isWanted(entry: Entry, { prefix, startAfter }: WalkOptions): boolean {
  if (!entry.directory) return entry.sortKey.startsWith(prefix) && entry.sortKey > startAfter;
  const below = entry.sortKey.startsWith(prefix) || prefix.startsWith(entry.sortKey);
  return below && (entry.sortKey > startAfter || startAfter.startsWith(entry.sortKey));
}

function runOfFiles(entries: readonly Entry[], at: number): Entry[] {
  const run: Entry[] = [];
  for (const entry of entries.slice(at, at + BATCH)) {
    if (entry.directory) break;
    run.push(entry);
  }
  return run;
}

async function describeFile(entry: Entry, options: WalkOptions): Promise<ObjectInfo | undefined> {
  const stat = await lstatOrMissing(entry.path);
  return stat === undefined ? undefined : options.describe(entry.sortKey, stat);
}

async function lstatOrMissing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}
