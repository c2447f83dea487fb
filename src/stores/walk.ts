/** Lists a tree of directories as keys in byte order, as an object store would, wherever the tree lies. */
import { isSegment, TEMPORARY_AREA } from './keys.ts';
import type { ObjectInfo } from './store.ts';

/** Files looked at together: enough to hide the latency of a NAS. */
const BATCH = 64;
/** Directories read before their turn, for the same reason. */
const AHEAD = 8;
/** What an NFS client makes of a file that was removed while somebody had it open. */
const SILLY_RENAMED = /^\.nfs[0-9a-fA-F]{8,}$/;

export interface TreeEntry {
  /** The key, with `/` at the end for a directory: so sorting by it is the order of the keys below it. */
  readonly sortKey: string;
  readonly directory: boolean;
}

export interface Tree<Entry extends TreeEntry> {
  /** The plain files and directories in `base` (`` or ending in `/`) whose names `isKeyName` accepts, in any order. */
  read(base: string): Promise<Entry[]>;
  /** Undefined for a file that has gone meanwhile. */
  describe(file: Entry): Promise<ObjectInfo | undefined>;
}

export interface WalkOptions {
  readonly prefix: string;
  readonly startAfter: string;
  readonly signal: AbortSignal | undefined;
}

/** Whether what is called so in the directory `base` can be an object or hold some. */
export function isKeyName(base: string, name: string): boolean {
  return isSegment(name) && !SILLY_RENAMED.test(name) && !(base === '' && name === TEMPORARY_AREA);
}

export async function* walk<Entry extends TreeEntry>(
  tree: Tree<Entry>,
  options: WalkOptions,
): AsyncGenerator<ObjectInfo, void, undefined> {
  // Nothing outside the directory that the prefix names has to be read.
  const start = options.prefix.slice(0, options.prefix.lastIndexOf('/') + 1);
  yield* walkEntries(tree, options, await tree.read(start));
}

async function* walkEntries<Entry extends TreeEntry>(
  tree: Tree<Entry>,
  options: WalkOptions,
  found: readonly Entry[],
): AsyncGenerator<ObjectInfo, void, undefined> {
  const entries = found.filter((entry) => isWanted(entry, options)).sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
  const early = new Map<string, Promise<Entry[]>>();
  for (let at = 0; at < entries.length;) {
    options.signal?.throwIfAborted();
    const entry = entries[at];
    if (entry?.directory === true) {
      readAhead(tree, entries.slice(at, at + AHEAD), early);
      const below = await early.get(entry.sortKey);
      early.delete(entry.sortKey);
      yield* walkEntries(tree, options, below ?? []);
      at += 1;
      continue;
    }
    const files = runOfFiles(entries, at);
    at += files.length;
    for (const info of await Promise.all(files.map((file) => tree.describe(file)))) {
      if (info !== undefined) yield info;
    }
  }
}

function readAhead<Entry extends TreeEntry>(
  tree: Tree<Entry>,
  next: readonly Entry[],
  early: Map<string, Promise<Entry[]>>,
): void {
  for (const { sortKey, directory } of next) {
    if (!directory || early.has(sortKey)) continue;
    const reading = tree.read(sortKey);
    // Told when its turn comes; until then nobody listens.
    reading.catch(() => undefined);
    early.set(sortKey, reading);
  }
}

function isWanted(entry: TreeEntry, { prefix, startAfter }: WalkOptions): boolean {
  if (!entry.directory) return entry.sortKey.startsWith(prefix) && entry.sortKey > startAfter;
  const below = entry.sortKey.startsWith(prefix) || prefix.startsWith(entry.sortKey);
  return below && (entry.sortKey > startAfter || startAfter.startsWith(entry.sortKey));
}

function runOfFiles<Entry extends TreeEntry>(entries: readonly Entry[], at: number): Entry[] {
  const run: Entry[] = [];
  for (const entry of entries.slice(at, at + BATCH)) {
    if (entry.directory) break;
    run.push(entry);
  }
  return run;
}
