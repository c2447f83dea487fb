/** Processes by number and start time, because numbers are used again; and how one is ended for certain. Linux. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/** `<boot id> <pid> <start ticks>`; undefined when no such process runs (a zombie doesn't). */
export function identityOf(pid: number): string | undefined {
  try {
    // The name in brackets may hold anything; what follows the last bracket is fields 3 and up, 22 is the start time.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${bootId()} ${pid} ${fields[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export function pidOf(identity: string): number {
  return Number(identity.split(' ')[1] ?? Number.NaN);
}

/** Whether the process that this text identifies still runs. */
export function isAlive(identity: string): boolean {
  const pid = pidOf(identity);
  return Number.isInteger(pid) && pid > 0 && identityOf(pid) === identity;
}

/** Sends a signal to that very process; false when it has ended. */
export function signalProcess(identity: string, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(pidOf(identity), signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits until it has ended; false when it still runs after the limit. */
export async function waitForEnd(identity: string, limitMs: number): Promise<boolean> {
  const end = Date.now() + limitMs;
  while (isAlive(identity)) {
    if (Date.now() >= end) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Asks it to end, and kills it when it hasn't within the limit. */
export async function endProcess(identity: string, limitMs: number): Promise<void> {
  if (!signalProcess(identity, 'SIGTERM')) return;
  if (await waitForEnd(identity, limitMs)) return;
  signalProcess(identity, 'SIGKILL');
  await waitForEnd(identity, limitMs);
}
