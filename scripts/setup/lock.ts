/** Locks between processes: a directory with the owner's number in it, taken over when that process is gone. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isAlive } from '../../src/engine/process.ts';

const POLL_MS = 200;
/** A lock without an owner's number this long after it was made belongs to nobody. */
const UNSIGNED_MS = 10_000;

function isAbandoned(lock: string): boolean {
  try {
    return !isAlive(readFileSync(path.join(lock, 'owner'), 'utf8'));
  } catch {
    try {
      return Date.now() - statSync(lock).mtimeMs > UNSIGNED_MS;
    } catch {
      return false;
    }
  }
}

function tryTake(lock: string): boolean {
  try {
    mkdirSync(lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
  writeFileSync(path.join(lock, 'owner'), identityOf(process.pid) ?? '');
  return true;
}

/** Of several processes that find the same dead owner, the rename lets one clear the lock away. */
function clearAway(lock: string): void {
  const aside = `${lock}.dead-${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  rmSync(aside, { recursive: true, force: true });
}

/** Runs work while no other process holds the lock of this name; waits for it as long as its owner lives. */
export async function withLock<T>(lock: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  mkdirSync(path.dirname(lock), { recursive: true });
  for (let waits = 0; !tryTake(lock); waits += 1) {
    if (isAbandoned(lock)) clearAway(lock);
    else {
      if (waits === 0) onWait?.();
      await sleep(POLL_MS);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}
