/**
 * Which part of a store is read back next, and what the readings so far say about the whole. A store is divided into 256
 * parts by the first two hex digits of its objects' ids, which are uniform: each part holds about as many bytes.
 */

export const PARTS = 256;
const DAY_SECONDS = 86_400;

export type ReadingLevel = 'presence' | 'content';

/** What one reading found in the parts `from` to `to`, both included. */
export interface Reading {
  readonly level: ReadingLevel;
  readonly from: number;
  readonly to: number;
  /** When it ended. */
  readonly atMs: number;
  /** When it looked which backups there are; absent in records of before that was written down. */
  readonly rootsAtMs?: number;
  /** What was read was opened as well. */
  readonly opened?: boolean;
  readonly bad: readonly BadObject[];
  /** Bad objects whose names are lost: how many. */
  readonly unnamed?: number;
}

export interface BadObject {
  readonly key: string;
  /** Undefined for what every reading looks at, whatever parts it is of: manifests, signers, checksums. */
  readonly part?: number;
  /** A good copy was put in its place. */
  readonly healed: boolean;
  /** Ids of backups that need it, at most some, and how many there are. */
  readonly backups?: readonly string[];
  readonly backupCount?: number;
}

export interface ReadBack {
  /** Everything was read back since then; undefined while a part never was. */
  readonly completeSinceMs?: number;
  readonly lastMs?: number;
  /** Of the store, from 0 to 1: what was ever read back. */
  readonly fraction: number;
  /** Keys of what the last look at them found bad, and nobody has healed since. */
  readonly bad: readonly string[];
  /** Bad objects of which only the number is known. */
  readonly unnamed: number;
  /** Parts whose last reading is older than promised. */
  readonly overdue: number;
}

/** Content is what counts as read back; bad objects are those of both levels. */
export function readBackOf(
  readings: readonly Reading[],
  options: { readonly everySeconds?: number | undefined; readonly nowMs: number },
): ReadBack {
  const newest = newestFirst(readings);
  const read = lastReadMs(newest);
  const ever = read.filter((atMs) => atMs !== undefined);
  const last = newest[0]?.atMs;
  const limitMs = options.nowMs - (options.everySeconds ?? Infinity) * 1000;
  // A store that is read for the first time has as long as any.
  const firstMs = newest.at(-1)?.atMs ?? options.nowMs;
  return {
    ...(ever.length === PARTS ? { completeSinceMs: Math.min(...ever) } : {}),
    ...(last === undefined ? {} : { lastMs: last }),
    fraction: ever.length / PARTS,
    ...badNow(newest),
    overdue: read.filter((atMs) => (atMs ?? firstMs) < limitMs).length,
  };
}

/**
 * The parts to read now, longest unread first: as many as the time since the last reading is of the time in which all is
 * to be read, and all that are late. The first reading of a store takes a day's share.
 */
export function nextParts(
  readings: readonly Reading[],
  options: { readonly everySeconds: number; readonly nowMs: number },
): number[] {
  const { everySeconds, nowMs } = options;
  const newest = newestFirst(readings.filter(({ level }) => level === 'content'));
  const read = lastReadMs(newest);
  const { overdue } = readBackOf(newest, options);
  const lastMs = newest[0]?.atMs;
  const elapsedSeconds = lastMs === undefined ? DAY_SECONDS : Math.max(0, nowMs - lastMs) / 1000;
  const share = Math.ceil((PARTS * elapsedSeconds) / everySeconds);
  const wanted = Math.min(PARTS, Math.max(1, share, overdue));
  return Array.from({ length: PARTS }, (_, part) => part)
    .toSorted((a, b) => (read[a] ?? 0) - (read[b] ?? 0) || a - b)
    .slice(0, wanted);
}

/** Neighbouring parts together, in ascending order. */
export function rangesOf(parts: readonly number[]): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = [];
  for (const part of [...new Set(parts)].toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.to === part - 1) last.to = part;
    else ranges.push({ from: part, to: part });
  }
  return ranges;
}

export function newestFirst(readings: readonly Reading[]): Reading[] {
  return readings.toSorted((a, b) => b.atMs - a.atMs);
}

function lastReadMs(newest: readonly Reading[]): (number | undefined)[] {
  const last = new Array<number | undefined>(PARTS).fill(undefined);
  for (const { level, from, to, atMs } of newest) {
    if (level !== 'content') continue;
    for (let part = from; part <= to; part += 1) last[part] ??= atMs;
  }
  return last;
}

function badNow(newest: readonly Reading[]): Pick<ReadBack, 'bad' | 'unnamed'> {
  const { bad, unnamed } = badObjects(newest);
  return { bad: bad.map(({ key }) => key), unnamed };
}

/**
 * What the newest readings found bad, and nobody has healed since, each once. A look at presence does not clear what a look
 * at content found.
 */
export function badObjects(newest: readonly Reading[]): { readonly bad: BadObject[]; readonly unnamed: number } {
  const bad = new Map<string, BadObject>();
  let unnamed = 0;
  const settled = { content: new Set<number>(), presence: new Set<number>() };
  for (const [index, { level, from, to, bad: found, unnamed: more = 0 }] of newest.entries()) {
    const isRead = (part: number): boolean =>
      settled.content.has(part) || (level === 'presence' && settled.presence.has(part));
    if (!Array.from({ length: to - from + 1 }, (_, at) => from + at).every(isRead)) unnamed += more;
    for (const one of found) {
      const isOld = one.part === undefined ? index > 0 : isRead(one.part);
      if (!isOld && !one.healed && !bad.has(one.key)) bad.set(one.key, one);
    }
    for (let part = from; part <= to; part += 1) settled[level].add(part);
  }
  return { bad: [...bad.values()], unnamed };
}
