/**
 * To which moments a database cluster can be brought back: from its base backups and from the stretches of write-ahead
 * log that are held. Recovery begins at a base backup, reads the log without a gap, and may cross from one timeline into
 * another where that one's history says it branched off. Pure.
 */
import { HoldfastError } from '../failures.ts';
import { formatLsn, parseLsn, type TimelineSwitch } from './lsn.ts';
import { type RecoveryTarget } from './recovery-target.ts';

/** A base backup, as its facts tell it. */
export interface BasePoint {
  readonly backup: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly startLsn: bigint;
  /** From here on it is consistent. */
  readonly endLsn: bigint;
  /** By the server's clock, just after the end. */
  readonly endedAtMs: number;
}

/** A stretch of log without a gap; `to` is not in it. */
export interface HeldStretch {
  readonly timeline: number;
  readonly from: bigint;
  readonly to: bigint;
  /** Everything that was committed before this moment and after the stretch began is in it. */
  readonly untilMs: number;
  /** The same, where it is known from the server's clock and not taken from when the log was stored. */
  readonly certainUntilMs?: number;
}

/** The log that is held of one cluster. */
export interface HeldLog {
  readonly systemIdentifier: string;
  readonly stretches: readonly HeldStretch[];
  /** By timeline: where it and its ancestors branched off, oldest first. */
  readonly histories: ReadonlyMap<number, readonly TimelineSwitch[]>;
}

/** From one base backup, on one timeline, everything from its end to here can be restored. */
export interface Reach {
  readonly base: BasePoint;
  readonly timeline: number;
  readonly toLsn: bigint;
  readonly toMs: number;
}

/** The base backup that a component's record in a manifest tells of; undefined when it is none. */
export function basePointIn(backup: string, facts: Readonly<Record<string, unknown>>): BasePoint | undefined {
  const { method, systemIdentifier, timeline, startLsn, endLsn, endedAt } = facts;
  if (method !== 'base' || typeof systemIdentifier !== 'string' || typeof timeline !== 'number') return undefined;
  if (typeof startLsn !== 'string' || typeof endLsn !== 'string' || typeof endedAt !== 'string') return undefined;
  const endedAtMs = Date.parse(endedAt);
  if (Number.isNaN(endedAtMs)) return undefined;
  const range = { startLsn: parseLsn(startLsn), endLsn: parseLsn(endLsn) };
  return { backup, systemIdentifier, timeline, ...range, endedAtMs };
}

/** Newest timeline first. Always at least the backup itself. */
export function reachOf(base: BasePoint, log: HeldLog | undefined): Reach[] {
  const own = { base, timeline: base.timeline, toLsn: base.endLsn, toMs: base.endedAtMs };
  if (log?.systemIdentifier !== base.systemIdentifier) return [own];
  const reached = [base.timeline, ...descendants(base, log)].flatMap((timeline) => walk(base, timeline, log) ?? []);
  const further = reached.filter(({ toLsn }) => toLsn > base.endLsn);
  return further.length === 0 ? [own] : further.sort((a, b) => b.timeline - a.timeline);
}

/** Timelines that branched off this backup's own, after its end. */
function descendants(base: BasePoint, log: HeldLog): number[] {
  return [...log.histories]
    .filter(([, lines]) => lines.some(({ parent, at }) => parent === base.timeline && at >= base.endLsn))
    .map(([timeline]) => timeline);
}

/** Undefined when a gap keeps it from getting to that timeline at all. */
function walk(base: BasePoint, timeline: number, log: HeldLog): Reach | undefined {
  let position = base.endLsn;
  let untilMs = base.endedAtMs;
  for (const step of pathTo(base.timeline, timeline, log)) {
    // The end of one stretch may be the beginning of another, where a segment was taken up again.
    for (;;) {
      const next = log.stretches.find(
        (held) => held.timeline === step.timeline && held.from <= position && held.to > position,
      );
      if (next === undefined) break;
      position = step.leftAt === undefined || next.to < step.leftAt ? next.to : step.leftAt;
      untilMs = Math.max(untilMs, next.untilMs);
      if (position === step.leftAt) break;
    }
    if (step.leftAt !== undefined && position < step.leftAt) return undefined;
  }
  return { base, timeline, toLsn: position, toMs: untilMs };
}

interface Step {
  readonly timeline: number;
  /** Where the next one branched off; undefined for the last. */
  readonly leftAt: bigint | undefined;
}

function pathTo(from: number, to: number, log: HeldLog): Step[] {
  if (from === to) return [{ timeline: to, leftAt: undefined }];
  const lines = log.histories.get(to) ?? [];
  const first = lines.findIndex(({ parent }) => parent === from);
  const before = lines.slice(first).map(({ parent, at }): Step => ({ timeline: parent, leftAt: at }));
  return [...before, { timeline: to, leftAt: undefined }];
}

/**
 * The newest backup that ends before the target and reaches it; of several timelines the newest that does. A restore
 * point has no known place: the newest backup is taken. Throws Unreachable, naming the nearest moments that can be had.
 */
export function chooseBase(target: RecoveryTarget, bases: readonly BasePoint[], logs: readonly HeldLog[]): Reach {
  const newestFirst = bases.toSorted((a, b) => b.endedAtMs - a.endedAtMs);
  const reaches = newestFirst.flatMap((base) =>
    reachOf(
      base,
      logs.find(({ systemIdentifier }) => systemIdentifier === base.systemIdentifier),
    ),
  );
  const fit = reaches.find((reach) => covers(reach, target));
  if (fit !== undefined) return fit;
  throw new HoldfastError('Unreachable', unreachableText(target, reaches), {
    hint: 'Ask for one of the moments named above; `holdfast show` lists all of them.',
  });
}

/** Whether recovery along this reach gets to the target. */
export function covers(reach: Reach, target: RecoveryTarget): boolean {
  const { base, toLsn, toMs } = reach;
  switch (target.kind) {
    case 'time':
      return base.endedAtMs <= target.atMs && target.atMs <= toMs;
    case 'lsn':
      return base.endLsn <= target.lsn && target.lsn <= toLsn;
    case 'end':
    case 'name':
      return toLsn > base.endLsn;
  }
}

function unreachableText(target: RecoveryTarget, reaches: readonly Reach[]): string {
  if (reaches.length === 0) return 'There is no base backup to begin with';
  switch (target.kind) {
    case 'time': {
      const [before, after] = nearest(reaches.map(timesOf), target.atMs);
      return `${target.text} can't be reached: ${nearestText(before, after, (ms) => new Date(ms).toISOString())}`;
    }
    case 'lsn': {
      const [before, after] = nearest(reaches.map(positionsOf), target.lsn);
      return `${target.text} can't be reached: ${nearestText(before, after, formatLsn)}`;
    }
    case 'end':
    case 'name':
      return 'No write-ahead log that follows a backup is held, so only the backups themselves can be restored';
  }
}

const timesOf = ({ base, toMs }: Reach): readonly [number, number] => [base.endedAtMs, toMs];
const positionsOf = ({ base, toLsn }: Reach): readonly [bigint, bigint] => [base.endLsn, toLsn];

/** The end of the interval before, and the beginning of the one after. */
function nearest<T extends number | bigint>(
  intervals: readonly (readonly [T, T])[],
  wanted: T,
): [T | undefined, T | undefined] {
  const before = intervals.map(([, to]) => to).filter((to) => to < wanted);
  const after = intervals.map(([from]) => from).filter((from) => from > wanted);
  const best = (values: T[], better: (a: T, b: T) => boolean): T | undefined =>
    values.reduce<T | undefined>((one, other) => (one === undefined || better(other, one) ? other : one), undefined);
  return [best(before, (a, b) => a > b), best(after, (a, b) => a < b)];
}

function nearestText<T>(before: T | undefined, after: T | undefined, text: (value: T) => string): string {
  if (before === undefined && after === undefined) return 'nothing near it can be restored';
  if (before === undefined) return `the earliest that can be restored is ${text(after as T)}`;
  if (after === undefined) return `the latest that can be restored is ${text(before)}`;
  return `the nearest that can be restored are ${text(before)} and ${text(after)}`;
}

/** What `list` and `show` print: moments that can be restored, joined where backups overlap, oldest first. */
export function reachableTimes(reaches: readonly Reach[]): { readonly fromMs: number; readonly toMs: number }[] {
  const joined: { fromMs: number; toMs: number }[] = [];
  const sorted = reaches.map(timesOf).toSorted(([a], [b]) => a - b);
  for (const [fromMs, toMs] of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else joined.push({ fromMs, toMs });
  }
  return joined;
}
