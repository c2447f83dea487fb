/** What of a write-ahead log is missing, told by names: holes that nobody has written down, and histories. */
import { gapKey, historyKey, parseWalKey, type WalPlace, type WalRange } from '../wal/names.ts';

export interface MissingLog {
  readonly key: string;
  readonly what: string;
}

/** The log of one cluster in one store. */
interface ClusterLog {
  readonly ranges: (WalRange & { readonly key: string })[];
  readonly gaps: WalRange[];
  readonly histories: Set<number>;
}

/**
 * Of one component. `here` are the keys of its log in this store, `beside` those in another one. `isReceived` says that this
 * store takes the log first, so that whatever another one has of it, from its oldest piece here on, was here. A hole that
 * another store can fill is told by the pieces there, else as the record that would explain it. Pure.
 */
export function missingLog(
  component: string,
  here: readonly string[],
  beside: readonly string[],
  isReceived: boolean,
): MissingLog[] {
  const own = clustersIn(component, here);
  const other = clustersIn(component, beside);
  const there = new Set(here);
  const missing: MissingLog[] = [];
  for (const [systemIdentifier, log] of own) {
    const place: WalPlace = { component, systemIdentifier };
    const elsewhere = other.get(systemIdentifier);
    for (const [timeline, ranges] of Map.groupBy(log.ranges, (range) => range.timeline)) {
      const covered = merged([...ranges, ...log.gaps.filter((gap) => gap.timeline === timeline)]);
      const held = elsewhere?.ranges.filter((range) => range.timeline === timeline) ?? [];
      const lacking = held.filter((range) => !there.has(range.key) && !isCovered(range, covered));
      for (const hole of holesIn(covered)) {
        const filling = lacking.filter(({ from, to }) => from < hole.to && to > hole.from);
        const what = 'the log has a hole that nobody has explained';
        if (filling.length === 0) missing.push({ key: gapKey(place, { timeline, ...hole }), what });
        for (const { key } of filling) missing.push({ key, what });
      }
      const last = covered.at(-1)?.to ?? 0n;
      if (!isReceived) continue;
      for (const { key } of lacking.filter(({ from, to }) => to > last && from >= (covered[0]?.from ?? 0n))) {
        if (!missing.some((one) => one.key === key)) missing.push({ key, what: 'another store has got it from here' });
      }
    }
    const timelines = log.ranges.map(({ timeline }) => timeline);
    const known = isReceived ? (elsewhere?.histories ?? []) : [];
    for (const timeline of new Set([...timelines, ...known])) {
      if (timeline === 1 || log.histories.has(timeline)) continue;
      missing.push({ key: historyKey(place, timeline), what: 'the history of a timeline whose log is there' });
    }
  }
  return missing;
}

function clustersIn(component: string, keys: readonly string[]): Map<string, ClusterLog> {
  const clusters = new Map<string, ClusterLog>();
  for (const key of keys) {
    const found = parseWalKey(component, key);
    if (found === undefined) continue;
    const log = clusters.get(found.systemIdentifier) ?? { ranges: [], gaps: [], histories: new Set<number>() };
    clusters.set(found.systemIdentifier, log);
    if (found.kind === 'history') log.histories.add(found.timeline);
    else if (found.kind === 'gap') log.gaps.push(found);
    else log.ranges.push({ timeline: found.timeline, from: found.from, to: found.to, key });
  }
  return clusters;
}

interface Stretch {
  readonly from: bigint;
  readonly to: bigint;
}

/** Stretches without a hole, in ascending order. */
function merged(ranges: readonly Stretch[]): Stretch[] {
  const whole: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of ranges.toSorted((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))) {
    const last = whole.at(-1);
    if (last === undefined || from > last.to) whole.push({ from, to });
    else if (to > last.to) last.to = to;
  }
  return whole;
}

function holesIn(covered: readonly Stretch[]): Stretch[] {
  return covered.slice(1).map(({ from }, index) => ({ from: covered[index]?.to ?? from, to: from }));
}

function isCovered({ from, to }: Stretch, covered: readonly Stretch[]): boolean {
  return covered.some((one) => one.from <= from && one.to >= to);
}
