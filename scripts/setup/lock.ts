/** Locks between processes: a directory with the owner's number in it, taken over when that process is gone. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 200;
/** A lock without an owner's number this long after it was made belongs to nobody. */
const UNSIGNED_MS = 10_000;

/** A process by number and start time, because numbers are used again. Undefined when it doesn't exist. */
export function identityOf(pid: number): string | undefined {
  try {
    // The name in brackets may hold anything; what follows the last bracket is fields 3 and up, 22 is the start time.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${pid} ${fields[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

/** Whether the process that this text identifies still runs. */
export function isAlive(identity: string): boolean {
  const pid = Number.parseInt(identity, 10);
  return Number.isInteger(pid) && pid > 0 && identityOf(pid) === identity;
}

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
