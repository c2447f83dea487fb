/**
 * What a freeze holds, on disk before anything is touched: `<stateDirectory>/freezes/<id>.json`, written by the worker,
 * and `<id>.fired`, written by the guard when it releases in the worker's place.
 */
import { join } from 'node:path';

import { z } from 'zod';

import { HoldfastError } from '../failures.ts';
import { listFiles, readJson, removeDurably, writeDurably } from './durable-file.ts';
import type { ProcessIdentity } from './process-identity.ts';
import type { FreezeIntent } from './types.ts';

const journalSchema = z.object({
  format: z.literal(1),
  intent: z.object({
    freezeId: z.string(),
    system: z.string(),
    mode: z.enum(['pause', 'stop']),
    budgetSeconds: z.number(),
    volumes: z.array(z.string()),
    plannedAtMs: z.number(),
    lease: z.string().exactOptional(),
    believed: z.object({ file: z.string(), site: z.string() }).exactOptional(),
    containers: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        startedAt: z.string(),
        level: z.number(),
        stopSeconds: z.number(),
      }),
    ),
  }),
  worker: z.object({ pid: z.number(), startTicks: z.string(), bootId: z.string() }),
  /** Wall clock, for people and for comparison with the engine's times. */
  beganAtMs: z.number(),
  /** Monotonic clock of this boot, in ms: the limit that no change of the wall clock moves. */
  beganMonotonicMs: z.number(),
  /** When each container was about to be touched, by id. One that is missing here was not touched. */
  touchedAtMs: z.record(z.string(), z.number()),
  /** Containers that somebody else had paused or stopped first: never released by this freeze. */
  notOurs: z.array(z.string()),
  /** Containers that are known to be released, so that what an operator does afterwards stays. */
  released: z.array(z.string()),
});

export interface FreezeJournal {
  readonly format: 1;
  readonly intent: FreezeIntent;
  readonly worker: ProcessIdentity;
  readonly beganAtMs: number;
  readonly beganMonotonicMs: number;
  readonly touchedAtMs: Readonly<Record<string, number>>;
  readonly notOurs: readonly string[];
  readonly released: readonly string[];
}

export interface FiredMark {
  /** Which freeze of this id it belongs to: its journal's `beganMonotonicMs`. */
  readonly beganMonotonicMs: number;
  readonly at: string;
  readonly why: string;
  readonly released: readonly string[];
  /** Monotonic, when the guard had released all it found held; undefined while it still tries. */
  readonly doneMonotonicMs?: number;
}

const firedSchema = z.object({
  beganMonotonicMs: z.number(),
  at: z.string(),
  why: z.string(),
  released: z.array(z.string()),
  doneMonotonicMs: z.number().optional(),
});

export function freezesDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'freezes');
}

/** Ids become file names, so they are held to letters, digits, dot, dash, underscore. */
export function journalPath(stateDirectory: string, freezeId: string): string {
  if (!/^[\w-][\w.-]{0,199}$/.test(freezeId)) {
    throw new HoldfastError('BadInput', `"${freezeId}" cannot be the id of a freeze`);
  }
  return join(freezesDirectory(stateDirectory), `${freezeId}.json`);
}

function firedPath(stateDirectory: string, freezeId: string): string {
  return journalPath(stateDirectory, freezeId).replace(/\.json$/, '.fired');
}

export async function writeJournal(stateDirectory: string, journal: FreezeJournal): Promise<void> {
  await writeDurably(journalPath(stateDirectory, journal.intent.freezeId), journal);
}

export async function readJournal(stateDirectory: string, freezeId: string): Promise<FreezeJournal | undefined> {
  return await parseJournal(journalPath(stateDirectory, freezeId));
}

export interface JournalsFound {
  /** Every freeze that is held or was left, oldest first. */
  readonly journals: readonly FreezeJournal[];
  /** Files that are no journals, and why: one of them must not keep the others from being released. */
  readonly unreadable: readonly string[];
}

export async function readJournals(stateDirectory: string): Promise<JournalsFound> {
  const paths = await listFiles(freezesDirectory(stateDirectory), '.json');
  const read = await Promise.allSettled(paths.map(parseJournal));
  const journals = read.flatMap((one) => (one.status === 'fulfilled' && one.value !== undefined ? [one.value] : []));
  const unreadable = read.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
  return { journals: journals.sort((a, b) => a.beganAtMs - b.beganAtMs), unreadable };
}

async function parseJournal(path: string): Promise<FreezeJournal | undefined> {
  const value = await readJson(path);
  if (value === undefined) return undefined;
  const parsed = journalSchema.safeParse(value);
  if (!parsed.success) {
    throw new HoldfastError('Internal', `${path} is not a freeze journal: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

export async function writeFired(stateDirectory: string, freezeId: string, mark: FiredMark): Promise<void> {
  await writeDurably(firedPath(stateDirectory, freezeId), mark);
}

/** The guard's mark for the freeze that began then; one of an earlier freeze with this id is none. */
export async function readFired(
  stateDirectory: string,
  freezeId: string,
  beganMonotonicMs: number,
): Promise<FiredMark | undefined> {
  const value = await readJson(firedPath(stateDirectory, freezeId));
  if (value === undefined) return undefined;
  const { doneMonotonicMs, ...mark } = firedSchema.parse(value);
  if (mark.beganMonotonicMs !== beganMonotonicMs) return undefined;
  return { ...mark, ...(doneMonotonicMs === undefined ? {} : { doneMonotonicMs }) };
}

/** The freeze is over. The journal goes first: a mark without a journal holds nothing. */
export async function removeJournal(stateDirectory: string, freezeId: string): Promise<void> {
  await removeDurably(journalPath(stateDirectory, freezeId));
  await removeDurably(firedPath(stateDirectory, freezeId));
}

/** One clock for all processes of this boot. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1000;
}
