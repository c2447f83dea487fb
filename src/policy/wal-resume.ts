/** Where in a server's write-ahead log one goes on, given what is stored. Pure. */
import { startOfSegment, type TimelineSwitch } from './lsn.ts';

export interface StoredRange {
  readonly timeline: number;
  readonly from: bigint;
  readonly to: bigint;
}

export interface ServerLog {
  readonly timeline: number;
  /** The ancestors of that timeline, oldest first. */
  readonly history: readonly TimelineSwitch[];
  readonly segmentBytes: number;
}

export interface Resume {
  readonly timeline: number;
  /** The first byte that is not stored yet. */
  readonly at: bigint;
  /** Nothing of this log is stored: it begins here. */
  readonly first: boolean;
}

/**
 * `known` is what is stored and what is known to be missing for good. A timeline that the server left is first read to
 * the switch, then its successor from the beginning of the segment of the switch, because a server replays the new
 * timeline's copy of that segment. `begin` is where the server can serve from when nothing is stored.
 */
export function resumeAt(known: readonly StoredRange[], server: ServerLog, begin: bigint): Resume {
  const line = [...server.history.map(({ parent }) => parent), server.timeline];
  for (const timeline of line.toReversed()) {
    const own = known.filter((range) => range.timeline === timeline);
    if (own.length === 0) continue;
    const end = own.reduce((furthest, { to }) => (to > furthest ? to : furthest), 0n);
    const left = server.history.find(({ parent }) => parent === timeline);
    if (left === undefined || end < left.at) return { timeline, at: end, first: false };
    const next = line[line.indexOf(timeline) + 1] ?? server.timeline;
    return { timeline: next, at: startOfSegment(left.at, server.segmentBytes), first: false };
  }
  const at = startOfSegment(begin, server.segmentBytes);
  return { timeline: timelineAt(server, at), at, first: true };
}

/** On which timeline of this server a position lies. */
function timelineAt(server: ServerLog, lsn: bigint): number {
  return server.history.find(({ at }) => at > lsn)?.parent ?? server.timeline;
}
