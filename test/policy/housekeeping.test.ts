/** Which files are old enough to go: the oldest first, never the newest ones, never what is from the future. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keepsForDays, oldEnough, type Aged } from '../../src/policy/housekeeping.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-11-21T01:00:00Z');
const RULE = { olderThanSeconds: 7 * 86_400, keepAtLeast: 2 };

function aged(...days: number[]): Aged[] {
  return days.map((age, index) => ({ path: `checkpoint-${index}`, mtimeMs: NOW_MS - age * DAY_MS }));
}

const names = (files: readonly Aged[]): string[] => files.map(({ path }) => path);

describe('[B3] old files', () => {
  test('all are older than a week: the two newest stay', () => {
    const { candidates, newest, young } = oldEnough(aged(8, 30, 9, 20), RULE, NOW_MS);
    expect(names(candidates)).toEqual(['checkpoint-1', 'checkpoint-3']);
    expect({ newest, young }).toEqual({ newest: 2, young: 0 });
  });

  test('the newest are young anyway: every old one goes', () => {
    const { candidates, newest, young } = oldEnough(aged(8, 1, 2, 20), RULE, NOW_MS);
    expect(names(candidates)).toEqual(['checkpoint-3', 'checkpoint-0']);
    expect({ newest, young }).toEqual({ newest: 0, young: 2 });
  });

  test('a file from the future counts as the newest, and stays', () => {
    const { candidates, young } = oldEnough(aged(-400, 8, 9), { ...RULE, keepAtLeast: 1 }, NOW_MS);
    expect(names(candidates)).toEqual(['checkpoint-2', 'checkpoint-1']);
    expect(young).toBe(1);
  });

  test('whatever there is: nothing young goes, enough stay, none of those that go is newer than one that stays', () => {
    const ages = fc.array(fc.double({ min: -10, max: 100, noNaN: true }), { maxLength: 30 });
    fc.assert(
      fc.property(ages, fc.nat(10), fc.nat(60), (days, keepAtLeast, limitDays) => {
        const files = aged(...days);
        const rule = { olderThanSeconds: limitDays * 86_400, keepAtLeast };
        const { candidates, newest, young } = oldEnough(files, rule, NOW_MS);
        expect(candidates.length + newest + young).toBe(files.length);
        expect(files.length - candidates.length).toBeGreaterThanOrEqual(Math.min(keepAtLeast, files.length));
        const going = new Set(candidates);
        const newestGoing = Math.max(-Infinity, ...candidates.map(({ mtimeMs }) => mtimeMs));
        expect(newestGoing).toBeLessThan(NOW_MS - rule.olderThanSeconds * 1000 + 1);
        for (const file of files) if (!going.has(file)) expect(file.mtimeMs).toBeGreaterThanOrEqual(newestGoing);
      }),
    );
  });
});

describe('backups that count', () => {
  test('kept for days, or for ever; not those that the next ones displace', () => {
    const counts = [undefined, { daily: 2 }, { yearly: 2 }, { last: 1, withinSeconds: 86_400 }].map(keepsForDays);
    const displaced = [{}, { last: 100 }, { hourly: 48 }, { daily: 1 }, { withinSeconds: 7200 }, { proved: 3 }].map(
      keepsForDays,
    );
    expect([...new Set(counts), ...new Set(displaced)]).toEqual([true, false]);
  });
});
