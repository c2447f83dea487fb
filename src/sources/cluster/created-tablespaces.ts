/**
 * A log in which a tablespace is created names its directory by an absolute path, and a server that replays it works in
 * that directory: beside the live server, in the live server's own files. So it is looked for before anything recovers.
 */
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HoldfastError } from '../../failures.ts';
import { isSegmentName, parseLsn, parseSegmentName } from '../../policy/lsn.ts';
import type { RecoveryTarget } from '../../policy/recovery-target.ts';
import { isMissing } from '../io-errors.ts';

export interface LogToReplay {
  readonly programs: string;
  /** Directories with its files, each complete by itself; what is missing holds nothing. */
  readonly directories: readonly string[];
  readonly segmentBytes: number;
  readonly target: RecoveryTarget | undefined;
  readonly signal: AbortSignal;
}

interface Created {
  readonly lsn: string;
  readonly place: string;
}

/** `rmgr: Tablespace len … lsn: 0/0304E2D8, prev …, desc: CREATE 16385 "/disks/fast"` */
const CREATION = /lsn: ([0-9A-F]+\/[0-9A-F]+), .*desc: CREATE \d+ "(\/.*)"$/;

/** Throws Unreachable, with the position before it; ToolMissing. A directory inside the cluster (`pg_tblspc/…`) is no danger. */
export async function refuseCreatedTablespaces(log: LogToReplay): Promise<void> {
  for (const directory of log.directories) {
    for (const run of await runsIn(directory, log.segmentBytes)) {
      const found = (await creationsIn(log, directory, run)).find((one) => isReached(one, log.target));
      if (found === undefined) continue;
      throw new HoldfastError(
        'Unreachable',
        `the log creates a tablespace in ${found.place} at ${found.lsn}: replayed on this host it would write into the live files there`,
        {
          hint: `Take a base backup, which the tablespace is in from the start; or restore to a moment before with --to-lsn, less than ${found.lsn}.`,
        },
      );
    }
  }
}

function isReached({ lsn }: Created, target: RecoveryTarget | undefined): boolean {
  return target?.kind !== 'lsn' || parseLsn(lsn) < parseLsn(target.text);
}

interface Run {
  readonly first: string;
  readonly last: string;
}

/** Stretches without a hole. */
async function runsIn(directory: string, segmentBytes: number): Promise<Run[]> {
  const names = (await readdir(directory).catch(none)).filter(isSegmentName).sort();
  const runs: Run[] = [];
  for (const name of names) {
    const before = runs.at(-1);
    if (before !== undefined && follows(name, before.last, segmentBytes)) runs.splice(-1, 1, { ...before, last: name });
    else runs.push({ first: name, last: name });
  }
  return runs;
}

function follows(name: string, earlier: string, segmentBytes: number): boolean {
  const [own, before] = [parseSegmentName(name, segmentBytes), parseSegmentName(earlier, segmentBytes)];
  if (own === undefined || before === undefined) return false;
  return own.timeline === before.timeline && own.start === before.start + BigInt(segmentBytes);
}

function none(error: unknown): string[] {
  if (isMissing(error)) return [];
  throw error;
}

/** Reads until the log ends, which the tool calls a failure; throws Unhealthy when it is killed before. */
async function creationsIn({ programs, signal }: LogToReplay, directory: string, run: Run): Promise<Created[]> {
  const args = ['--rmgr=Tablespace', `--path=${directory}`, run.first, run.last];
  const child = spawn(join(programs, 'pg_waldump'), args, {
    cwd: '/',
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    signal,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<string | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_code, killedBy) => resolve(killedBy));
  });
  ended.catch(() => undefined);
  const created: Created[] = [];
  for await (const line of createInterface(child.stdout)) {
    const [, lsn, place] = CREATION.exec(line) ?? [];
    if (lsn !== undefined && place !== undefined) created.push({ lsn, place });
  }
  let killedBy: string | null;
  try {
    killedBy = await ended;
  } catch (error) {
    signal.throwIfAborted();
    throw new HoldfastError('ToolMissing', `pg_waldump in ${programs} can't be run`, {
      cause: error,
      hint: 'Install the whole server package of PostgreSQL, such as postgresql-15.',
    });
  }
  if (killedBy !== null) {
    throw new HoldfastError('Unhealthy', `pg_waldump was ended by ${killedBy} before it had read all of the log`);
  }
  return created;
}
