/** A directory of this machine as a tree of keys. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dirent, Stats } from 'node:fs';
import { isMissing } from './directory-errors.ts';
import { unlessStale } from './directory-files.ts';
import type { ObjectInfo } from './store.ts';
import { isKeyName } from './walk.ts';
import type { Tree, TreeEntry } from './walk.ts';

interface Entry extends TreeEntry {
  readonly path: string;
}

/** `describe` gives the information about a file, by its key. */
export function directoryTree(root: string, describe: (key: string, stat: Stats) => ObjectInfo): Tree<Entry> {
  return {
    read: (base) => unlessStale(() => readEntries(root, base)),
    describe: async ({ sortKey, path }) => {
      const stat = await unlessStale(() => lstatOrMissing(path));
      return stat === undefined ? undefined : describe(sortKey, stat);
    },
  };
}

async function readEntries(root: string, base: string): Promise<Entry[]> {
  let found: Dirent[];
  try {
    found = await readdir(join(root, base), { withFileTypes: true });
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw cause;
  }
  const fitting = found.filter(({ name }) => isKeyName(base, name));
  const entries = await Promise.all(fitting.map((entry) => toEntry(root, base, entry)));
  return entries.filter((entry) => entry !== undefined);
}

async function toEntry(root: string, base: string, entry: Dirent): Promise<Entry | undefined> {
  const path = join(root, base, entry.name);
  const kind = entry.isFile() || entry.isDirectory() || entry.isSymbolicLink() ? entry : await lstatOrMissing(path);
  if (kind?.isDirectory() === true) return { sortKey: `${base}${entry.name}/`, path, directory: true };
  // Links and special files are never objects.
  return kind?.isFile() === true ? { sortKey: `${base}${entry.name}`, path, directory: false } : undefined;
}

async function lstatOrMissing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}
