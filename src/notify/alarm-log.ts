/**
 * Every alarm of a system, one JSON line each, in files of its own: what was told when, also without the engine. The
 * newest lines are in `alarms.jsonl`; a file that has grown is put aside under a name of its own, a bounded number of
 * them. Several processes may write: each line goes by one write to the end of a file that is open already, so that a
 * file which is put aside meanwhile takes it along, and no name is ever given twice.
 */
import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
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

export interface AlarmLogLimits {
  /** A file that has grown to this is put aside. */
  readonly fileBytes: number;
  /** So many of those are kept, the newest. */
  readonly files: number;
}

/** Some 25,000 lines a file. */
const LIMITS: AlarmLogLimits = { fileBytes: 8 * 1024 * 1024, files: 8 };
/** Where a repeat would stand. */
const TAIL_BYTES = 256 * 1024;
const ASIDE = /^alarms\.\d{8}T\d{9}Z\.[0-9a-f]{8}\.jsonl$/;

export function alarmLogFile(system: string): string {
  return path.join(stateDirectory(system), 'alarms.jsonl');
}

/** Oldest first, the one that is written to last; those that are there. */
export async function alarmLogFiles(system: string): Promise<string[]> {
  const directory = stateDirectory(system);
  const names = await orNone(readdir(directory));
  const aside = names.filter((name) => ASIDE.test(name)).toSorted();
  const current = names.includes('alarms.jsonl') ? ['alarms.jsonl'] : [];
  return [...aside, ...current].map((name) => path.join(directory, name));
}

/** Durable when it returns. Entries of which the end of the log has a whole line are left out. */
export async function appendAlarms(
  system: string,
  entries: readonly AlarmEntry[],
  limits: AlarmLogLimits = LIMITS,
): Promise<void> {
  await using file = await open(alarmLogFile(system), 'a+', 0o600);
  const tail = await readTail(file);
  const whole = tail.slice(0, tail.lastIndexOf('\n') + 1);
  const before = tail.length < TAIL_BYTES ? await tailBefore(system) : '';
  const missing = entries.filter(({ id }) => {
    const beginning = `{"id":${JSON.stringify(id)},`;
    return !whole.includes(beginning) && !before.includes(beginning);
  });
  if (missing.length === 0) return;
  // A line that a crash cut off must not swallow the next one.
  const torn = tail !== '' && !tail.endsWith('\n') ? '\n' : '';
  await file.appendFile(torn + missing.map((entry) => `${lineOf(entry)}\n`).join(''));
  await file.sync();
  await putAside(system, file, limits);
}

/** Every line that is whole, oldest first. */
export async function* readAlarms(system: string): AsyncGenerator<AlarmEntry> {
  for (const name of await alarmLogFiles(system)) {
    await using file = await open(name, 'r');
    for await (const line of file.readLines()) {
      const entry = entryIn(line);
      if (entry !== undefined) yield entry;
    }
  }
}

function entryIn(line: string): AlarmEntry | undefined {
  try {
    return JSON.parse(line) as AlarmEntry;
  } catch {
    // What a crash has cut off.
    return undefined;
  }
}

/** Another writer may have put it aside already: then the name is that of a younger file, which stays. */
async function putAside(system: string, file: FileHandle, { fileBytes, files }: AlarmLogLimits): Promise<void> {
  const { size, ino, dev } = await file.stat();
  if (size < fileBytes) return;
  const named = await stat(alarmLogFile(system)).catch(() => undefined);
  if (named?.ino !== ino || named.dev !== dev) return;
  const at = new Date().toISOString().replaceAll(/[-:.]/g, '');
  const aside = path.join(stateDirectory(system), `alarms.${at}.${randomUUID().slice(0, 8)}.jsonl`);
  await rename(alarmLogFile(system), aside).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
  const kept = (await alarmLogFiles(system)).filter((name) => ASIDE.test(path.basename(name)));
  for (const old of kept.slice(0, Math.max(0, kept.length - files))) await rm(old, { force: true });
}

function lineOf({ id, at, system, incident, severity, what, by }: AlarmEntry): string {
  return JSON.stringify({ id, at, system, incident, severity, what, ...(by === undefined ? {} : { by }) });
}

/** The end of the file before the one that is written to. */
async function tailBefore(system: string): Promise<string> {
  const newest = (await alarmLogFiles(system)).findLast((name) => ASIDE.test(path.basename(name)));
  if (newest === undefined) return '';
  await using file = await open(newest, 'r');
  return await readTail(file);
}

async function readTail(file: FileHandle): Promise<string> {
  const { size } = await file.stat();
  const length = Math.min(size, TAIL_BYTES);
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, size - length);
  return buffer.subarray(0, bytesRead).toString('utf8');
}

async function orNone(asked: Promise<string[]>): Promise<string[]> {
  try {
    return await asked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
