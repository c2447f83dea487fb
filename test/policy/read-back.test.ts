/** Which parts of a store are read next: all of it comes round in the time promised, whatever is missed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextParts, PARTS, rangesOf, readBackOf, type Reading } from '../../src/policy/read-back.ts';

const DAY_MS = 86_400_000;
const MONTH = 30 * 86_400;
const START_MS = Date.parse('2026-11-01T00:00:00Z');

function readingsOf(parts: readonly number[], atMs: number, bad: Reading['bad'] = []): Reading[] {
  return rangesOf(parts).map((range) => ({ level: 'content', ...range, atMs, bad }));
}

describe('[M6] reading a store back by a cursor', () => {
  test('once a day: every part is read within the time, and a day reads its share', () => {
    const readings: Reading[] = [];
    const lastMs = new Map<number, number>();
    for (let day = 0; day < 90; day += 1) {
      const nowMs = START_MS + day * DAY_MS;
      const parts = nextParts(readings, { everySeconds: MONTH, nowMs });
      expect(parts.length).toBeLessThanOrEqual(10);
      for (const part of parts) {
        expect(nowMs - (lastMs.get(part) ?? START_MS)).toBeLessThanOrEqual(30 * DAY_MS);
        lastMs.set(part, nowMs);
      }
      readings.push(...readingsOf(parts, nowMs));
    }
    expect(lastMs.size).toBe(PARTS);
  });

  test('runs at any times: what was missed is made up for by the next one', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 20 * 24 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(gaps, (hours) => {
        const readings: Reading[] = readingsOf([0], START_MS);
        let nowMs = START_MS;
        for (const gap of hours) {
          nowMs += gap * 3_600_000;
          const parts = nextParts(readings, { everySeconds: MONTH, nowMs });
          expect(new Set(parts).size).toBe(parts.length);
          readings.push(...readingsOf(parts, nowMs));
          expect(readBackOf(readings, { everySeconds: MONTH, nowMs }).overdue).toBe(0);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('all parts read: since when, by the one read longest ago; a part never read: not complete', () => {
    const half = Array.from({ length: 128 }, (_, part) => part);
    const first = readingsOf(half, START_MS);
    const nowMs = START_MS + 5 * DAY_MS;
    expect(readBackOf(first, { nowMs })).toMatchObject({ fraction: 0.5, bad: [], overdue: 0 });
    expect(readBackOf(first, { nowMs }).completeSinceMs).toBeUndefined();
    const rest = readingsOf(
      half.map((part) => part + 128),
      START_MS + DAY_MS,
    );
    expect(readBackOf([...first, ...rest], { nowMs }).completeSinceMs).toBe(START_MS);
    expect(readBackOf([...first, ...rest], { nowMs, everySeconds: 4.5 * 86_400 }).overdue).toBe(128);
  });

  test('a bad object: told until a look of the same level at its part finds it good, or it was healed', () => {
    const bad = [{ key: 'chunks/05/05', part: 5, healed: false }];
    const found: Reading = { level: 'content', from: 0, to: 9, atMs: START_MS, bad };
    const nowMs = START_MS + DAY_MS;
    const later = (level: Reading['level'], from: number, to: number, more: Reading['bad'] = []): Reading => {
      return { level, from, to, atMs: nowMs, bad: more };
    };
    const badAfter = (...more: Reading[]) => readBackOf([found, ...more], { nowMs }).bad;
    expect(badAfter()).toEqual(['chunks/05/05']);
    expect(badAfter(later('content', 10, 20))).toEqual(['chunks/05/05']);
    expect(badAfter(later('presence', 0, 255))).toEqual(['chunks/05/05']);
    expect(badAfter(later('content', 5, 5))).toEqual([]);
    expect(badAfter(later('content', 5, 5, [{ ...(bad[0] ?? { key: '' }), healed: true }]))).toEqual([]);
    const manifest = [{ key: 'backups/daily/x.json', healed: false }];
    expect(badAfter(later('content', 20, 30, manifest))).toContain('backups/daily/x.json');
    expect(readBackOf([{ ...found, bad: manifest }, later('content', 20, 30)], { nowMs }).bad).toEqual([]);
  });
});
