/** Writes a finished object where its store wants it, inside a thread: its bytes need not travel to the main thread. */
import { closeSync, linkSync, openSync, unlinkSync, writeSync } from 'node:fs';
import type { FilePlace } from './types.ts';

/**
 * True when the object has its name now. False when anything was in the way, also an object of that name: nothing is left
 * of it then, and the store's own `put` is to be asked, which says what it was.
 */
export function placeFile(place: FilePlace, bytes: Uint8Array): boolean {
  try {
    writeNew(place.temporary, bytes);
  } catch {
    removeTemporary(place.temporary);
    return false;
  }
  try {
    // Fails when the name is taken, so of several writers exactly one wins.
    linkSync(place.temporary, place.target);
    return true;
  } catch {
    return false;
  } finally {
    removeTemporary(place.temporary);
  }
}

function writeNew(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done);
  } finally {
    closeSync(fd);
  }
}

/** What can't be removed lies in the store's own area, which the store clears. */
function removeTemporary(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    return;
  }
}
