/** Hours, days, weeks, months and years of a time zone, as names: two moments share a slot when the names are equal. */

export type SlotKind = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';
export const SLOT_KINDS: readonly SlotKind[] = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'];

const DAY_MS = 24 * 3600 * 1000;

/** The slots of one moment, such as `2026-W47`. */
export type Slots = Readonly<Record<SlotKind, string>>;

/**
 * Names slots by the calendar of the zone. The hour that a clock shows twice when it is set back is two slots, because
 * its name has the offset from UTC. Weeks are those of ISO 8601: they begin on Monday, and the first has a Thursday.
 * Throws RangeError for a zone that does not exist.
 */
export function slotsIn(timeZone: string): (atMs: number) => Slots {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    timeZoneName: 'longOffset',
  });
  return (atMs) => {
    const part: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(atMs)) part[type] = value;
    const { year = '', month = '', day = '', hour = '', timeZoneName = '' } = part;
    const date = `${year}-${month}-${day}`;
    return {
      hourly: `${date}T${hour} ${timeZoneName}`,
      daily: date,
      weekly: isoWeek(Date.UTC(Number(year), Number(month) - 1, Number(day))),
      monthly: `${year}-${month}`,
      yearly: year,
    };
  };
}

/** ISO 8601 week of a calendar day, given as midnight UTC: the week belongs to the year of its Thursday. */
function isoWeek(dayMs: number): string {
  const weekday = (new Date(dayMs).getUTCDay() + 6) % 7;
  const thursday = new Date(dayMs + (3 - weekday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
  return `${year}-W${String(week).padStart(2, '0')}`;
}
