/** Damage to files of a store, as disks and people do it, that another copy of the store can make good. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomFrom } from './points.ts';

const OBJECTS = 12;

/** Ruins up to twelve objects that both stores hold. The answer tells whether all of them have their bytes again, or are gone from both. */
export function damageStore(
  store: string,
  other: string,
  part: number,
  rooms: readonly string[],
): () => Promise<boolean> {
  const random = randomFrom(Math.floor(part * 2 ** 31));
  const shared = rooms.flatMap((room) => filesBelow(store, room)).filter((key) => existsSync(path.join(other, key)));
  const good = new Map<string, Buffer>();
  while (good.size < OBJECTS && shared.length > 0) {
    const [key = ''] = shared.splice(Math.floor(random() * shared.length), 1);
    const bytes = readFileSync(path.join(store, key));
    // One that was stored twice, under two sealings, would be healed by the other's bytes.
    if (!bytes.equals(readFileSync(path.join(other, key)))) continue;
    good.set(key, bytes);
    ruin(path.join(store, key), bytes, random());
  }
  return () => Promise.resolve([...good].every(([key, bytes]) => isAsBefore(path.join(store, key), bytes)));
}

function ruin(file: string, bytes: Buffer, how: number): void {
  // A manifest that is gone is named by nobody here; the tree of one that is there is.
  const isManifest = file.includes(`${path.sep}backups${path.sep}`);
  if (how < 0.25 && !isManifest) rmSync(file);
  else if (how < 0.5) writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * how)));
  else {
    const flipped = Buffer.from(bytes);
    // Not in a frame of checksums that may have bits which say nothing: in the middle.
    const at = Math.floor(flipped.length / 2);
    flipped[at] = (flipped[at] ?? 0) ^ 0x55;
    writeFileSync(file, flipped);
  }
}

/** What a prune beside it has removed is nobody's loss. */
function isAsBefore(file: string, bytes: Buffer): boolean {
  return !existsSync(file) || readFileSync(file).equals(bytes);
}

function filesBelow(store: string, room: string): string[] {
  const directory = path.join(store, room);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(store, path.join(entry.parentPath, entry.name)))
    .toSorted();
}
