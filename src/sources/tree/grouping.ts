/**
 * Where the tar of a tree is cut. A large file is a run of chunks of its own; small entries are grouped. A group ends
 * behind an entry by a rule that knows only that entry's path and length, so that a new file moves the cuts around
 * itself and nowhere else. Stored chunks depend on it: changing a number here stores every tree once more.
 */
import { MAX_CHUNK_BYTES } from '../../part.ts';
import type { ByteString } from '../byte-string.ts';

/** From here on a file is cut at fixed offsets: what changes in place then changes few chunks. */
export const LARGE_FILE_BYTES = 1024 * 1024;

/** No cut inside the first part of a group, except before a large file. */
const MINIMUM_BYTES = 512 * 1024;
/** On average this much follows the minimum. */
const MEAN_BYTES = 1024 * 1024;
/** Less than this stays in one group with the header of a large file. */
const HEADER_COMPANY_BYTES = 64 * 1024;

export const MAX_GROUP_BYTES = MAX_CHUNK_BYTES;

/** True when an entry of this length must start a new group. */
export function mustStartGroup(groupBytes: number, entryBytes: number, large: boolean): boolean {
  if (groupBytes === 0) return false;
  return large ? groupBytes > HEADER_COMPANY_BYTES : groupBytes + entryBytes > MAX_GROUP_BYTES;
}

/** True when the group ends behind this entry; `groupBytes` counts it already. */
export function endsGroup(groupBytes: number, entryBytes: number, path: ByteString): boolean {
  if (groupBytes < MINIMUM_BYTES) return false;
  return pathHash(path) < entryBytes / MEAN_BYTES;
}

/** Evenly spread in [0, 1): FNV-1a over the bytes of the path, mixed as in MurmurHash3. */
export function pathHash(path: ByteString): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < path.length; at += 1) hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
