/** What of a write-ahead log is in a vault: stretches without a gap, and what is missing between them. Needs no key. */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { formatLsn } from '../../policy/lsn.ts';
import { readRecord } from '../envelope.ts';
import { judgeWalGap, judgeWalObject, readWalObject, walGapSchema, type WalObjectBody } from './format.ts';
import type { TrustRoots } from '../trust.ts';
import { componentPrefix, gapKey, parseWalKey, type WalPlace, type WalRange } from './names.ts';

/** A stretch of the log without a gap. */
export interface WalInterval extends WalRange {
  /** When its newest object was stored, by the store's clock. */
  readonly storedAtMs: number;
  /** The object that reaches to its end. */
  readonly lastKey: string;
  readonly objects: number;
}

export interface WalGap extends WalRange {
  /** As the host wrote it down; absent for a hole that nobody has explained. */
  readonly why?: string;
  readonly at?: string;
}

/** The log of one cluster. */
export interface WalCluster {
  readonly systemIdentifier: string;
  /** By timeline, then by position. */
  readonly intervals: readonly WalInterval[];
  /** Timelines whose history file is there. */
  readonly histories: readonly number[];
  readonly gaps: readonly WalGap[];
}

/**
 * Reads names only, which the store could have made up: what is opened later is judged by its own signed record. With
 * `after` (a key), only what is listed after it. Clusters stand in the order of their newest object, oldest first.
 */
export async function readWalInventory(
  store: Store,
  component: string,
  options: { signal?: AbortSignal; systemIdentifier?: string; after?: string } = {},
): Promise<WalCluster[]> {
  const { signal, systemIdentifier, after } = options;
  const prefix = componentPrefix(component) + (systemIdentifier === undefined ? '' : `${systemIdentifier}/`);
  const clusters = new Map<string, Gathering>();
  const listing = store.list(prefix, {
    ...(signal === undefined ? {} : { signal }),
    ...(after === undefined ? {} : { startAfter: after }),
  });
  for await (const info of listing) {
    const key = parseWalKey(component, info.key);
    if (key === undefined) continue;
    const cluster = clusters.get(key.systemIdentifier) ?? new Gathering();
    clusters.set(key.systemIdentifier, cluster);
    if (key.kind === 'range') cluster.range(key, info.key, info.modifiedAtMs);
    else if (key.kind === 'history') cluster.histories.push(key.timeline);
    else cluster.told.push({ timeline: key.timeline, from: key.from, to: key.to });
  }
  return [...clusters]
    .map(([identifier, cluster]) => cluster.finish(identifier))
    .sort((a, b) => newestMs(a) - newestMs(b));
}

/** The reasons of the gaps, where the host that noticed them wrote one down that holds. */
export async function explainGaps(
  store: Store,
  trust: { readonly vaultId: string; readonly roots: TrustRoots },
  place: WalPlace,
  gaps: readonly WalGap[],
): Promise<WalGap[]> {
  return Promise.all(
    gaps.map(async (gap) => {
      const key = gapKey(place, gap);
      try {
        const record = readRecord(walGapSchema, await store.get(key), key);
        judgeWalGap(trust.roots, trust.vaultId, key, record);
        return { ...gap, why: record.body.why, at: record.body.at };
      } catch (error) {
        if (error instanceof HoldfastError && !error.waitingHelps && error.code !== 'StoreDenied') return gap;
        throw error;
      }
    }),
  );
}

/** The record of the object that reaches to the end of an interval. Throws Untrusted, ObjectCorrupt, ObjectMissing. */
export async function readWalEnd(
  store: Store,
  trust: { readonly vaultId: string; readonly roots: TrustRoots },
  interval: WalInterval,
): Promise<WalObjectBody> {
  const object = readWalObject(await store.get(interval.lastKey), interval.lastKey);
  judgeWalObject(trust.roots, trust.vaultId, interval.lastKey, object);
  return object.record.body;
}

/** `0/3000000 to 0/5000000 of timeline 1`. */
export function rangeText(range: WalRange): string {
  return `${formatLsn(range.from)} to ${formatLsn(range.to)} of timeline ${range.timeline}`;
}

function newestMs(cluster: WalCluster): number {
  return cluster.intervals.reduce((newest, { storedAtMs }) => Math.max(newest, storedAtMs), 0);
}

/** Puts the pieces of one cluster together, in the order of a listing: by timeline, segment, start and end. */
class Gathering {
  readonly histories: number[] = [];
  readonly told: WalRange[] = [];
  private readonly intervals: { -readonly [K in keyof WalInterval]: WalInterval[K] }[] = [];

  range(piece: WalRange, key: string, storedAtMs: number): void {
    const { timeline, from, to } = piece;
    if (to <= from) return;
    const last = this.intervals.at(-1);
    if (last?.timeline !== timeline || from > last.to) {
      this.intervals.push({ timeline, from, to, storedAtMs, lastKey: key, objects: 1 });
      return;
    }
    last.objects += 1;
    last.storedAtMs = Math.max(last.storedAtMs, storedAtMs);
    if (to > last.to) {
      last.to = to;
      last.lastKey = key;
    }
  }

  finish(systemIdentifier: string): WalCluster {
    const { intervals, histories } = this;
    return { systemIdentifier, intervals, histories, gaps: this.gaps() };
  }

  /** Holes between two stretches, and what was told to be missing behind the last one and did not come since. */
  private gaps(): WalGap[] {
    const holes = this.intervals.flatMap((interval, index): WalGap[] => {
      const next = this.intervals[index + 1];
      if (next?.timeline !== interval.timeline) return [];
      return [{ timeline: interval.timeline, from: interval.to, to: next.from }];
    });
    const behind = this.told.filter((gap) => {
      const own = this.intervals.filter(({ timeline }) => timeline === gap.timeline);
      const inHole = holes.some((hole) => hole.timeline === gap.timeline && hole.from < gap.to && gap.from < hole.to);
      return !inHole && !own.some(({ from, to }) => from <= gap.from && to >= gap.to);
    });
    return [...holes, ...behind].sort((a, b) => a.timeline - b.timeline || (a.from < b.from ? -1 : 1));
  }
}
