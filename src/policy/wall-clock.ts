/** Wall clocks of time zones: what a moment is called there, and which moment a wall-clock time is. Pure. */

const HOUR_MS = 3_600_000;

export interface WallTime {
  readonly year: number;
  /** 1 is January. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  formats.set(timeZone, format);
  return format;
}

/** How far the zone is ahead of UTC at that moment. Throws RangeError for a zone that does not exist. */
export function offsetMs(timeZone: string, atMs: number): number {
  if (timeZone === 'UTC') return 0;
  const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(formatOf(timeZone).format(atMs));
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = match ?? [];
  const size = (Number(hours) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000;
  return sign === '-' ? -size : size;
}

export function wallTime(timeZone: string, atMs: number): WallTime {
  const there = new Date(atMs + offsetMs(timeZone, atMs));
  return {
    year: there.getUTCFullYear(),
    month: there.getUTCMonth() + 1,
    day: there.getUTCDate(),
    hour: there.getUTCHours(),
    minute: there.getUTCMinutes(),
    second: there.getUTCSeconds(),
  };
}

/**
 * The moment of a wall-clock time; parts beyond their range carry over. A time that comes twice, or never, becomes the one
 * that Go's `time.Date` makes of it, because that is what the Temporal server computes with.
 */
export function momentOf(timeZone: string, { year, month, day, hour, minute, second }: WallTime): number {
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, second);
  const first = offsetMs(timeZone, asUtc);
  return first === 0 ? asUtc : asUtc - offsetMs(timeZone, asUtc - first);
}

/** The moments at which the zone's offset changes, from then on, before `toMs`. */
export function clockChanges(timeZone: string, fromMs: number, toMs: number): { atMs: number; byMs: number }[] {
  const found: { atMs: number; byMs: number }[] = [];
  const day = 24 * HOUR_MS;
  for (let ms = fromMs; ms < toMs; ms += day) {
    const before = offsetMs(timeZone, ms);
    const byMs = offsetMs(timeZone, ms + day) - before;
    if (byMs === 0) continue;
    let [low, high] = [ms, ms + day];
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000;
      if (offsetMs(timeZone, middle) === before) low = middle;
      else high = middle;
    }
    found.push({ atMs: high, byMs });
  }
  return found;
}

/** True when the zone is whole hours away from UTC, in summer and winter of that year. */
export function isWholeHours(timeZone: string, year: number): boolean {
  return [0, 3, 6, 9].every((month) => offsetMs(timeZone, Date.UTC(year, month, 1)) % HOUR_MS === 0);
}
