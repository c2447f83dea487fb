/**
 * What makes a restored data directory recover to a chosen point by itself: settings in postgresql.auto.conf, a signal
 * file, and the log it reads, copied into the directory so that it needs nothing of ours, not even this host.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecoveryTarget } from '../../policy/recovery-target.ts';
import { isMissing } from '../io-errors.ts';

/** Below the data directory, where the server's working directory is. */
export const LOG_DIRECTORY = 'holdfast_wal';
const AUTO_CONF = 'postgresql.auto.conf';
const BEGIN = '# >>> written by holdfast restore';
const END = '# <<< written by holdfast restore';
/** What an earlier recovery left behind would contradict. */
const TARGETS = /^\s*recovery_target(?:_time|_lsn|_name|_xid)?\s*=.*\n?/gm;

export interface RecoveryOrder {
  /** Undefined: only as far as the backup needs to be consistent. */
  readonly target: RecoveryTarget | undefined;
  readonly timeline: number;
  /** A copy elsewhere must never archive into the archive of the original, also later. */
  readonly neverArchive: boolean;
}

/** One target setting at most: PostgreSQL refuses a second one, even an empty one. */
export function recoverySettings({ target, timeline, neverArchive }: RecoveryOrder): ReadonlyMap<string, string> {
  return new Map([
    ['restore_command', `cp "${LOG_DIRECTORY}/%f" "%p"`],
    ...targetSetting(target),
    ['recovery_target_inclusive', 'on'],
    ['recovery_target_timeline', String(timeline)],
    ['recovery_target_action', 'promote'],
    ['recovery_end_command', ''],
    ['archive_cleanup_command', ''],
    ['primary_conninfo', ''],
    ['primary_slot_name', ''],
    ...(neverArchive ? ([['archive_mode', 'off']] as const) : []),
  ]);
}

function targetSetting(target: RecoveryTarget | undefined): [string, string][] {
  switch (target?.kind) {
    case undefined:
      return [['recovery_target', 'immediate']];
    case 'end':
      return [];
    case 'time':
      // While its configuration is read the server knows no abbreviations of zones, such as Z.
      return [['recovery_target_time', target.text.replace('T', ' ').replace('Z', '+00')]];
    case 'lsn':
      return [['recovery_target_lsn', target.text]];
    case 'name':
      return [['recovery_target_name', target.name]];
  }
}

/** The order is in force with the next start. Repeatable: what was ordered before is replaced. */
export async function orderRecovery(dataDirectory: string, order: RecoveryOrder): Promise<void> {
  const lines = [...recoverySettings(order)].map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  await rewriteAutoConf(dataDirectory, lines);
  // A copied standby must not follow the primary of its original.
  await rm(join(dataDirectory, 'standby.signal'), { force: true });
  await writeFile(join(dataDirectory, 'recovery.signal'), '', { mode: 0o600 });
}

/** Recovery is over: what was there for it goes. Repeatable. */
export async function endRecovery(dataDirectory: string, neverArchive: boolean): Promise<void> {
  await rewriteAutoConf(dataDirectory, neverArchive ? ["archive_mode = 'off'"] : []);
  await rm(join(dataDirectory, 'recovery.signal'), { force: true });
  await rm(join(dataDirectory, LOG_DIRECTORY), { recursive: true, force: true });
}

/**
 * The server that recovered archived nothing. The one that goes on from here has to begin with the history of the new
 * timeline, or nobody could follow it there (pgarch.c; the segments it finds by itself). Returns what was written.
 */
export async function announceTimeline(dataDirectory: string): Promise<string | undefined> {
  const names = await readdir(join(dataDirectory, 'pg_wal'));
  const newest = names
    .filter((name) => /^[0-9A-F]{8}\.history$/.test(name))
    .sort()
    .at(-1);
  if (newest === undefined) return undefined;
  const status = join('pg_wal', 'archive_status', newest);
  if (existsSync(join(dataDirectory, `${status}.done`))) return undefined;
  await writeFile(join(dataDirectory, `${status}.ready`), '', { mode: 0o600 });
  return `${status}.ready`;
}

/** Our block is last, since the last of several values counts. Owner and mode stay those of the file. */
async function rewriteAutoConf(dataDirectory: string, lines: readonly string[]): Promise<void> {
  const path = join(dataDirectory, AUTO_CONF);
  const kept = withoutBlock(await textOrNothing(path)).replace(TARGETS, '');
  const block = lines.length === 0 ? '' : `${[BEGIN, ...lines, END].join('\n')}\n`;
  await writeFile(path, kept + block, { mode: 0o600 });
}

function withoutBlock(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  const rest = begin === -1 || end < begin ? text : text.slice(0, begin) + text.slice(end + END.length + 1);
  return rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`;
}

async function textOrNothing(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** Where recovery ended, as the history of the timeline that it began says (its last line). */
export interface RecoveryEnd {
  readonly timeline: number;
  readonly lsn: string;
  /** Such as `before 2026-11-21 14:00:02.1+00`, or `no recovery target specified`. */
  readonly reason: string;
}

export function parseRecoveryEnd(timeline: number, history: string): RecoveryEnd | undefined {
  const last = history.trimEnd().split('\n').at(-1) ?? '';
  const found = /^(\d+)\t([0-9A-F]+\/[0-9A-F]+)\t(.*)$/.exec(last);
  return found?.[2] === undefined ? undefined : { timeline, lsn: found[2], reason: (found[3] ?? '').trim() };
}

/** The last moment that what was recovered has seen, from the server's log. */
export function lastTransactionTime(log: string): string | undefined {
  return /last completed transaction was at log time (.+)/.exec(log)?.[1];
}

/** PostgreSQL's refusal when the log ends before the moment that was asked for. */
export function endedTooEarly(text: string): boolean {
  return text.includes('recovery ended before configured recovery target was reached');
}
