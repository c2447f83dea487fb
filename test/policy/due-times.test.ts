import { Cron } from 'croner';
import { describe, expect, it } from 'vitest';
import { parseCron } from '../../src/policy/cron.ts';
import { longestIntervalSeconds } from '../../src/policy/schedule-interval.ts';
import { clockChangeNotes, intervalsSeconds, nextRun, nextRuns, specOf } from '../../src/policy/due-times.ts';

const at = (text: string): number => Date.parse(text);
const iso = (runs: readonly number[]): string[] => runs.map((ms) => new Date(ms).toISOString().slice(0, 16));
const times = (cron: string, timeZone: string, from: string, to: string): string[] =>
  iso(nextRuns(specOf({ cron, timeZone }), at(from), at(to)));

describe('cron expressions', () => {
  it('names, ranges, steps and lists become numbers; day and weekday together are two calendars', () => {
    expect(parseCron('*/20 1-3,22 * jan-mar SUN,7,fri')).toEqual([
      {
        minutes: [0, 20, 40],
        hours: [1, 2, 3, 22],
        daysOfMonth: Array.from({ length: 31 }, (_, index) => index + 1),
        months: [1, 2, 3],
        daysOfWeek: [0, 5],
      },
    ]);
    expect(
      parseCron('0 3 1 * MON').map(({ daysOfMonth, daysOfWeek }) => [daysOfMonth.length, daysOfWeek.length]),
    ).toEqual([
      [1, 7],
      [31, 1],
    ]);
    expect(parseCron('5/25 * * * *')[0]?.minutes).toEqual([5, 30, 55]);
  });

  it.each([
    '',
    '* * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '5-1 * * * *',
    '*/0 * * * *',
    '1,,2 * * * *',
    '@daily',
    '* * L * *',
    '1-2-3 * * * *',
    'x * * * *',
    '* * * mon *',
  ])('`%s` is refused', (text) => expect(() => parseCron(text)).toThrow(RangeError));

  it('in UTC every run is the one that another implementation of cron computes', () => {
    const random = randomOf(7);
    const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '*';
    for (let round = 0; round < 150; round += 1) {
      const cron = [
        pick(['0', '5', '*/15', '59', '1,31', '10-20/5']),
        pick(['*', '0', '2', '*/6', '23', '9-17']),
        pick(['*', '*', '1', '29', '31', '1-7']),
        pick(['*', '*', '2', 'JAN,JUL', '3-9/3']),
        pick(['*', '*', 'SUN', 'MON-FRI', '0,3', '7']),
      ].join(' ');
      const from = at('2026-01-01T00:00Z') + Math.floor(random() * 4 * 366 * 86_400_000);
      const other = new Cron(cron, { timezone: 'UTC', paused: true }).nextRuns(5, new Date(from));
      const spec = specOf({ cron, timeZone: 'UTC' });
      const own: number[] = [];
      for (let ms = nextRun(spec, from); ms !== undefined && own.length < other.length; ms = nextRun(spec, ms))
        own.push(ms);
      expect([cron, iso(own)]).toEqual([cron, iso(other.map((one) => one.getTime()))]);
    }
  });

  it('a date that never comes has no run', () => {
    expect(nextRun(specOf({ cron: '0 0 31 2 *', timeZone: 'UTC' }), at('2026-01-01T00:00Z'))).toBeUndefined();
    expect(iso([nextRun(specOf({ cron: '0 0 29 2 *', timeZone: 'UTC' }), at('2026-01-01T00:00Z')) ?? 0])).toEqual([
      '2028-02-29T00:00',
    ]);
  });
});

describe('[M2] clock changes', () => {
  it('02:30 in Berlin: left out in spring, which a note tells of, and once in autumn', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2027-03-27T00:00Z', '2027-03-30T00:00Z')).toEqual([
      '2027-03-27T01:30',
      '2027-03-29T00:30',
    ]);
    expect(times('30 2 * * *', 'Europe/Berlin', '2027-10-30T00:00Z', '2027-11-02T00:00Z')).toHaveLength(3);
    const notes = clockChangeNotes(specOf({ cron: '30 2 * * *', timeZone: 'Europe/Berlin' }), at('2026-11-21T00:00Z'));
    expect(notes).toEqual(['left out on 2027-03-28, when 02:30 does not exist in Europe/Berlin']);
  });

  it('02:30 in New York: left out in spring; 01:30 comes twice in autumn, as its hour does', () => {
    expect(times('30 2 * * *', 'America/New_York', '2027-03-13T00:00Z', '2027-03-16T00:00Z')).toEqual([
      '2027-03-13T07:30',
      '2027-03-15T06:30',
    ]);
    expect(times('30 1 * * *', 'America/New_York', '2027-11-06T00:00Z', '2027-11-09T00:00Z')).toEqual([
      '2027-11-06T05:30',
      '2027-11-07T05:30',
      '2027-11-07T06:30',
      '2027-11-08T06:30',
    ]);
  });

  it('hours that no clock change touches keep their wall clock, and nothing is noted', () => {
    expect(times('0 6 * * *', 'Europe/Berlin', '2027-03-27T00:00Z', '2027-03-30T00:00Z')).toEqual([
      '2027-03-27T05:00',
      '2027-03-28T04:00',
      '2027-03-29T04:00',
    ]);
    expect(clockChangeNotes(specOf({ cron: '0 6 * * *', timeZone: 'Europe/Berlin' }), at('2026-11-21T00:00Z'))).toEqual(
      [],
    );
  });

  it.each(['Europe/Berlin', 'America/New_York'])(
    'every hour in %s is every hour, also when one comes twice',
    (timeZone) => {
      const spec = specOf({ cron: '5 * * * *', timeZone });
      expect(spec).toMatchObject({ timeZone: 'UTC' });
      const year = nextRuns(spec, at('2027-01-01T00:00Z'), at('2028-01-01T00:00Z'));
      expect(year).toHaveLength(365 * 24);
    },
  );

  it('every hour where the zone is half an hour off keeps its own minutes', () => {
    expect(times('5 * * * *', 'Asia/Kolkata', '2027-01-01T00:00Z', '2027-01-01T02:00Z')).toEqual([
      '2027-01-01T00:35',
      '2027-01-01T01:35',
    ]);
  });
});

describe('intervals', () => {
  it('are counted from midnight UTC with their offset, on every day of the year', () => {
    const spec = specOf({ everySeconds: 6 * 3600, offsetSeconds: 1800, timeZone: 'UTC' });
    expect(iso(nextRuns(spec, at('2027-03-28T00:00Z'), at('2027-03-29T00:00Z')))).toEqual([
      '2027-03-28T00:30',
      '2027-03-28T06:30',
      '2027-03-28T12:30',
      '2027-03-28T18:30',
    ]);
    expect(intervalsSeconds(spec, 0)).toEqual([21_600]);
    expect(nextRun(spec, at('2027-03-28T00:30Z'))).toBe(at('2027-03-28T06:30Z'));
  });
});

/** A small generator, so that every run of the test looks at the same expressions. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

describe('the longest interval', () => {
  it('the night on which clocks are put back is 25 hours long, also while it goes on; days later it is 24 again', () => {
    const daily = { cron: '0 4 * * *', timeZone: 'Europe/Berlin' };
    const hours = (now: string): number => (longestIntervalSeconds(daily, at(now)) ?? 0) / 3600;
    expect(hours('2026-10-24T22:00:00Z')).toBe(25);
    expect(hours('2026-10-25T04:00:00Z')).toBe(25);
    expect(hours('2026-10-29T12:00:00Z')).toBe(24);
  });
});
