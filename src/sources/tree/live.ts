/** The tree of a component as it lies there now, and the part of it that captures look at. */
import { lstat, realpath } from 'node:fs/promises';
import { HoldfastError } from '../../failures.ts';
import { byteString, displayName, pathArgument, type ByteString } from '../byte-string.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import { OWN_NAMES } from '../replacement.ts';
import { decodeEntries, type TreeEntry } from './entry.ts';
import type { EntryGroup } from './groups.ts';
import { scanTree } from './scan.ts';

/** A directory, or a single file, and patterns of globs.ts below it. */
export interface LivePlace {
  readonly path: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface LiveEntry {
  readonly entry: TreeEntry;
  readonly absolute: ByteString;
}

/** The place itself when the path is a link to it; the path as it stands when there is nothing yet. */
export async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (isMissing(error)) return path;
    throw failureOf(error, `look at ${path}`);
  }
}

/** What the entries' paths count from: a root that is a file has its own name as the only entry. Throws SourceMissing. */
export async function baseOf(root: ByteString): Promise<ByteString> {
  try {
    return (await lstat(pathArgument(root))).isDirectory() ? root : root.slice(0, root.lastIndexOf('/'));
  } catch (error) {
    if (isMissing(error)) throw new HoldfastError('SourceMissing', `${displayName(root)} does not exist`);
    throw failureOf(error, `read ${displayName(root)}`);
  }
}

/** Files of any age. Throws SourceMissing, PermissionDenied, and the signal's reason. */
export async function* liveGroups(place: LivePlace, signal: AbortSignal): AsyncGenerator<EntryGroup, void, undefined> {
  yield* groupsBelow(byteString(await resolved(place.path)), place, signal);
}

/** Everything but the root itself; else as `liveGroups`. */
export async function* liveEntries(place: LivePlace, signal: AbortSignal): AsyncGenerator<LiveEntry, void, undefined> {
  const root = byteString(await resolved(place.path));
  const base = await baseOf(root);
  for await (const { records } of groupsBelow(root, place, signal)) {
    for (const entry of decodeEntries(records)) {
      if (entry.type !== 'end' && entry.path !== '.') yield { entry, absolute: `${base}/${entry.path}` };
    }
  }
}

async function* groupsBelow(root: ByteString, { include, exclude }: LivePlace, signal: AbortSignal) {
  const walk = { include, exclude: [...exclude, OWN_NAMES], newestMtimeMs: null };
  for await (const group of scanTree(root, walk, () => undefined)) {
    signal.throwIfAborted();
    yield group;
  }
}
