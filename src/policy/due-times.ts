/**
 * When a schedule is due: the one computation behind what the engine is given, what is foretold, and what a simulation of
 * a quarter runs by. Pure; without the jitter, which is the engine's dice.
 */
import type { ScheduleTimes } from '../system/types.ts';
import { nextOfCalendar } from './calendar-times.ts';
import { isEveryHour, parseCron, type Calendar } from './cron.ts';
import { clockChanges, isWholeHours, wallTime } from './wall-clock.ts';

/** As the engine is told it. */
export type ScheduleSpec =
  | { readonly kind: 'calendars'; readonly calendars: readonly Calendar[]; readonly timeZone: string }
  | { readonly kind: 'interval'; readonly everySeconds: number; readonly offsetSeconds: number };

/** By this year zones are asked whether they keep whole hours: fixed, so that a spec does not change by itself. */
const ZONE_YEAR = 2026;
const YEAR_MS = 366 * 24 * 3_600_000;
/** How far a schedule that seldom comes is looked ahead. */
const HORIZON_MS = 10 * YEAR_MS;

/**
 * Every hour of every day is the same in all zones of whole hours, so it is told in UTC, where no hour comes twice or
 * never. Throws RangeError for an expression that is none.
 */
export function specOf(times: ScheduleTimes): ScheduleSpec {
  if (times.cron === undefined) {
    return { kind: 'interval', everySeconds: times.everySeconds, offsetSeconds: times.offsetSeconds };
  }
  const calendars = parseCron(times.cron);
  const anywhere = calendars.every(isEveryHour) && isWholeHours(times.timeZone, ZONE_YEAR);
  return { kind: 'calendars', calendars, timeZone: anywhere ? 'UTC' : times.timeZone };
}

/** The first due time after `afterMs`; undefined when there is none any more. */
export function nextRun(spec: ScheduleSpec, afterMs: number): number | undefined {
  if (spec.kind === 'interval') {
    const every = spec.everySeconds * 1000;
    const offset = spec.offsetSeconds * 1000;
    return (Math.floor((afterMs - offset) / every) + 1) * every + offset;
  }
  // Calendars know whole seconds.
  const after = Math.floor(afterMs / 1000) * 1000;
  const next = spec.calendars.map((calendar) => nextOfCalendar(calendar, spec.timeZone, after) ?? Infinity);
  const first = Math.min(...next);
  return Number.isFinite(first) ? first : undefined;
}

/** Every due time from `fromMs` on and before `toMs`, at most `limit` of them, oldest first. */
export function nextRuns(spec: ScheduleSpec, fromMs: number, toMs: number, limit = Infinity): number[] {
  const found: number[] = [];
  for (let at = nextRun(spec, fromMs - 1); at !== undefined && at < toMs; at = nextRun(spec, at)) {
    if (found.length >= limit) break;
    found.push(at);
  }
  return found;
}

/** The times between the next runs, at most 63 of them; empty when there are fewer than two runs. */
export function intervalsSeconds(spec: ScheduleSpec, nowMs: number): number[] {
  if (spec.kind === 'interval') return [spec.everySeconds];
  const runs = nextRuns(spec, nowMs, nowMs + HORIZON_MS, 64);
  return runs.slice(1).map((run, index) => (run - (runs[index] ?? 0)) / 1000);
}

/** What a person should know of a spec: days on which clock changes leave a run out, in the year that comes. */
export function clockChangeNotes(spec: ScheduleSpec, nowMs: number): string[] {
  if (spec.kind === 'interval' || spec.timeZone === 'UTC') return [];
  const { timeZone } = spec;
  return clockChanges(timeZone, nowMs, nowMs + YEAR_MS).flatMap(({ atMs, byMs }) => {
    if (byMs <= 0) return [];
    // The clock jumps from `atMs` as it was to `byMs` later: these wall-clock times never come.
    const first = wallTime(timeZone, atMs - 1000);
    const fromMs = Date.UTC(first.year, first.month - 1, first.day, first.hour, first.minute, first.second) + 1000;
    const asUtc = { ...spec, timeZone: 'UTC' };
    const [lost] = nextRuns(asUtc, fromMs, fromMs + byMs, 1);
    if (lost === undefined) return [];
    const [day = '', time = ''] = new Date(lost).toISOString().slice(0, 16).split('T');
    return [`left out on ${day}, when ${time} does not exist in ${timeZone}`];
  });
}
