/** Which process wrote something, so that a later one can tell whether it still lives. Linux. */
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot: a number given out again has another one. */
  readonly startTicks: string;
  readonly bootId: string;
}

let own: ProcessIdentity | undefined;

export function ownIdentity(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    startTicks: startTicks(process.pid) ?? 'unknown',
    bootId: bootId(),
  };
  return own;
}

/** False when the process has ended, is a zombie, or belonged to an earlier boot. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  const ticks = startTicks(identity.pid);
  return ticks !== undefined && ticks === identity.startTicks;
}

export function printIdentity(identity: ProcessIdentity): string {
  return `${identity.bootId}:${identity.pid}:${identity.startTicks}`;
}

export function parseIdentity(text: string): ProcessIdentity | undefined {
  const [boot, pid, ticks] = text.split(':');
  if (boot === undefined || pid === undefined || ticks === undefined || !/^\d+$/.test(pid)) return undefined;
  return { bootId: boot, pid: Number(pid), startTicks: ticks };
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Field 22 of /proc/<pid>/stat, counted after the command name, which may contain spaces and brackets. */
function startTicks(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return fields[19];
}
