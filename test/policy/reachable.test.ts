import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseBase, covers, reachableTimes, reachOf } from '../../src/policy/reachable.ts';
import type { BasePoint, HeldLog, HeldStretch } from '../../src/policy/reachable.ts';
import { parseRecoveryTarget, recoveryTargetText } from '../../src/policy/recovery-target.ts';

const base = (backup: string, at: number, more: Partial<BasePoint> = {}): BasePoint => ({
  backup,
  systemIdentifier: '7',
  timeline: 1,
  startLsn: BigInt(at),
  endLsn: BigInt(at + 1),
  endedAtMs: (at + 1) * 1000,
  ...more,
});
const stretch = (timeline: number, from: number, to: number): HeldStretch => ({
  timeline,
  from: BigInt(from),
  to: BigInt(to),
  untilMs: to * 1000,
});
const log = (stretches: HeldStretch[], histories: HeldLog['histories'] = new Map()): HeldLog => ({
  systemIdentifier: '7',
  stretches,
  histories,
});
const at = (seconds: number): string => `time:${new Date(seconds * 1000).toISOString()}`;
const choose = (target: string, bases: BasePoint[], logs: HeldLog[]) =>
  chooseBase(parseRecoveryTarget(target), bases, logs);

describe('what can be reached', () => {
  it('a gap in the log: times behind it are refused with the nearest that can be had', () => {
    const bases = [base('early', 10), base('late', 60)];
    const logs = [log([stretch(1, 5, 30), stretch(1, 50, 90)])];
    expect(choose(at(20), bases, logs)).toMatchObject({ base: { backup: 'early' }, timeline: 1 });
    expect(choose(at(80), bases, logs)).toMatchObject({ base: { backup: 'late' } });
    expect(() => choose(at(40), bases, logs)).toThrow(
      /the nearest that can be restored are 1970-01-01T00:00:30.000Z and 1970-01-01T00:01:01.000Z/,
    );
    expect(() => choose(at(5), bases, logs)).toThrow(/the earliest that can be restored is 1970-01-01T00:00:11/);
    expect(() => choose('lsn:0/FF', bases, logs)).toThrow(/the latest that can be restored is 0\/5A/);
    expect(reachableTimes(bases.flatMap((one) => reachOf(one, logs[0])))).toEqual([
      { fromMs: 11_000, toMs: 30_000 },
      { fromMs: 61_000, toMs: 90_000 },
    ]);
  });

  it('a promotion: the log goes over where the history says, the newest timeline first, never across a gap before it', () => {
    const history = new Map([[2, [{ parent: 1, at: 30n }]]]);
    const whole = log([stretch(1, 5, 32), stretch(2, 28, 70)], history);
    expect(reachOf(base('b', 10), whole).map(({ timeline, toLsn }) => [timeline, toLsn])).toEqual([
      [2, 70n],
      [1, 32n],
    ]);
    expect(choose('end', [base('b', 10)], [whole])).toMatchObject({ timeline: 2, toLsn: 70n });
    const torn = log([stretch(1, 5, 20), stretch(2, 28, 70)], history);
    expect(reachOf(base('b', 10), torn).map(({ timeline, toLsn }) => [timeline, toLsn])).toEqual([[1, 20n]]);
    // A backup that ended after the branch is not on the way to it.
    expect(reachOf(base('b', 40), whole).map(({ timeline }) => timeline)).toEqual([1]);
    // A backup of the promoted cluster is.
    expect(reachOf(base('b', 40, { timeline: 2 }), whole).map(({ timeline, toLsn }) => [timeline, toLsn])).toEqual([
      [2, 70n],
    ]);
  });

  it('no log, or that of another cluster: the backups by themselves, and any point in time is refused', () => {
    for (const logs of [[], [{ ...log([stretch(1, 5, 90)]), systemIdentifier: '8' }]]) {
      expect(reachOf(base('b', 10), logs[0])).toEqual([{ base: base('b', 10), timeline: 1, toLsn: 11n, toMs: 11_000 }]);
      expect(() => choose('end', [base('b', 10)], logs)).toThrow(/only the backups themselves/);
    }
    expect(() => choose('end', [], [])).toThrow(/no base backup/);
  });

  it('whatever is held: the choice ends before its target, no newer backup would do, and every byte between is held', () => {
    const anything = fc.record({
      bases: fc.array(fc.nat(100), { minLength: 1, maxLength: 5 }),
      cuts: fc.array(fc.tuple(fc.nat(100), fc.integer({ min: 1, max: 30 })), { maxLength: 6 }),
      wanted: fc.nat(120),
    });
    fc.assert(
      fc.property(anything, ({ bases, cuts, wanted }) => {
        const held = log(cuts.map(([from, length]) => stretch(1, from, from + length)));
        const points = bases.map((place, index) => base(String(index), place));
        const target = parseRecoveryTarget(at(wanted));
        const fits = points.filter((point) => reachOf(point, held).some((reach) => covers(reach, target)));
        if (fits.length === 0) {
          expect(() => chooseBase(target, points, [held])).toThrow(/can't be reached/);
          return;
        }
        const chosen = chooseBase(target, points, [held]);
        expect(chosen.base.endedAtMs).toBeLessThanOrEqual(wanted * 1000);
        expect(Math.max(...fits.map(({ endedAtMs }) => endedAtMs))).toBe(chosen.base.endedAtMs);
        for (let byte = chosen.base.endLsn; byte < chosen.toLsn; byte += 1n) {
          expect(held.stretches.some(({ from, to }) => from <= byte && byte < to)).toBe(true);
        }
      }),
    );
  });
});

describe('where recovery is to end', () => {
  it('as people write it: one spelling of each, microseconds kept', () => {
    const spellings = {
      end: 'end',
      'time:2026-11-21T03:00:00.123456+01:00': 'time:2026-11-21T02:00:00.123456Z',
      'time:2026-11-21 02:00:00z': 'time:2026-11-21T02:00:00Z',
      'lsn:16/b374d848': 'lsn:16/B374D848',
      'name:before the release': 'name:before the release',
    };
    for (const [written, kept] of Object.entries(spellings)) {
      expect(recoveryTargetText(parseRecoveryTarget(written))).toBe(kept);
    }
  });

  it.each([
    '',
    'now',
    'time:yesterday',
    'time:2026-11-21',
    'lsn:xyz',
    "name:o'clock",
    'name:',
    'time:2026-99-99T00:00:00Z',
  ])('%j: refused', (text) => {
    expect(() => parseRecoveryTarget(text)).toThrow(/BadInput|is not|can't be/);
  });
});
