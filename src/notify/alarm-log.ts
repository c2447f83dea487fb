/** Every alarm of a system, one JSON line each, in a file of its own: what was told when, also without the engine. */
import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { stateDirectory } from '../system/home.ts';

export interface AlarmEntry {
  /** Of this entry alone: a repeat of it is not written again. */
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly system: string;
  /** `check/subject`. */
  readonly incident: string;
  readonly severity: string;
  readonly what: string;
  readonly by?: string;
}

/** Where a repeat would stand. */
const TAIL_BYTES = 256 * 1024;

export function alarmLogFile(system: string): string {
  return path.join(stateDirectory(system), 'alarms.jsonl');
}

/** Durable when it returns. Entries of which the end of the file has a whole line are left out. */
export async function appendAlarms(system: string, entries: readonly AlarmEntry[]): Promise<void> {
  await using file = await open(alarmLogFile(system), 'a+', 0o600);
  const tail = await readTail(file);
  const whole = tail.slice(0, tail.lastIndexOf('\n') + 1);
  const missing = entries.filter(({ id }) => !whole.includes(`{"id":${JSON.stringify(id)},`));
  if (missing.length === 0) return;
  // A line that a crash cut off must not swallow the next one.
  const torn = tail !== '' && !tail.endsWith('\n') ? '\n' : '';
  await file.appendFile(torn + missing.map((entry) => `${lineOf(entry)}\n`).join(''));
  await file.sync();
}

function lineOf({ id, at, system, incident, severity, what, by }: AlarmEntry): string {
  return JSON.stringify({ id, at, system, incident, severity, what, ...(by === undefined ? {} : { by }) });
}

async function readTail(file: FileHandle): Promise<string> {
  const { size } = await file.stat();
  const length = Math.min(size, TAIL_BYTES);
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, size - length);
  return buffer.subarray(0, bytesRead).toString('utf8');
}
