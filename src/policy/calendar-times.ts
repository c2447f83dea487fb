/**
 * The next moment of a calendar, computed as the Temporal server computes it (service/worker/scheduler/calendar.go), so
 * that what is foretold is what happens. A wall-clock time that a clock change leaves out does not come that day; near an
 * hour that comes twice a run may come twice. Pure.
 */
import type { Calendar } from './cron.ts';
import { momentOf, wallTime, type WallTime } from './wall-clock.ts';

const HOUR_MS = 3_600_000;
const LAST_YEAR = 2100;

interface At {
  y: number;
  mo: number;
  d: number;
  h: number;
  m: number;
  s: number;
  /** The second copy of an hour that comes twice lies so much later. */
  laterMs: number;
}

/** The first matching moment after `afterMs`; undefined when there is none before the year 2101. */
export function nextOfCalendar(calendar: Calendar, timeZone: string, afterMs: number): number | undefined {
  const { year, month, day, hour, minute, second } = wallTime(timeZone, afterMs);
  const again = wallTime(timeZone, afterMs - HOUR_MS).hour === hour;
  const at: At = { y: year, mo: month, d: day, h: hour, m: minute, s: second + 1, laterMs: again ? HOUR_MS : 0 };
  for (;;) {
    carry(at, timeZone);
    if (at.y > LAST_YEAR) return undefined;
    if (!seek(at, calendar)) continue;
    const found = momentOf(timeZone, wall(at));
    if (wallTime(timeZone, found).hour === at.h) return found + at.laterMs;
    // The clock jumps over this hour.
    at.h += 1;
    at.m = at.s = 0;
  }
}

function wall({ y, mo, d, h, m, s }: At): WallTime {
  return { year: y, month: mo, day: d, hour: h, minute: m, second: s };
}

function carry(at: At, timeZone: string): void {
  if (at.s >= 60) {
    at.m += 1;
    at.s = 0;
  }
  if (at.m >= 60) nextHour(at, timeZone);
  if (at.h >= 24) {
    at.d += 1;
    at.h = 0;
  }
  if (at.d > daysIn(at)) {
    at.mo += 1;
    at.d = 1;
  }
  if (at.mo > 12) {
    at.y += 1;
    at.mo = 1;
  }
}

/** An hour further, or into the second copy of the hour when the next one would be two hours away. */
function nextHour(at: At, timeZone: string): void {
  const start = { ...wall(at), minute: 0, second: 0 };
  const apart = momentOf(timeZone, { ...start, hour: at.h + 1 }) - momentOf(timeZone, start);
  at.m = 0;
  if (at.laterMs === 0 && apart > HOUR_MS) at.laterMs = HOUR_MS;
  else {
    at.laterMs = 0;
    at.h += 1;
  }
}

/** Moves to the next match from the outside in; false when a part ran over and has to be carried first. */
function seek(at: At, calendar: Calendar): boolean {
  while (!calendar.months.includes(at.mo)) {
    at.mo += 1;
    at.d = 1;
    startOfDay(at);
    if (at.mo > 12) return false;
  }
  while (!calendar.daysOfMonth.includes(at.d) || !calendar.daysOfWeek.includes(weekday(at))) {
    at.d += 1;
    startOfDay(at);
    if (at.d > daysIn(at)) return false;
  }
  while (!calendar.hours.includes(at.h)) {
    at.h += 1;
    at.m = at.s = at.laterMs = 0;
    if (at.h >= 24) return false;
  }
  while (!calendar.minutes.includes(at.m)) {
    at.m += 1;
    at.s = 0;
    if (at.m >= 60) return false;
  }
  if (at.s === 0) return true;
  // Seconds are always zero.
  at.s = 60;
  return false;
}

function startOfDay(at: At): void {
  at.h = at.m = at.s = at.laterMs = 0;
}

function weekday({ y, mo, d }: At): number {
  return new Date(Date.UTC(y, mo - 1, d)).getUTCDay();
}

function daysIn({ y, mo }: At): number {
  return new Date(Date.UTC(y, mo, 0)).getUTCDate();
}
