/** What reading whole stores back proves of their backups. */
import { describe, expect, it } from 'vitest';
import { isProved } from '../../src/policy/backup-seen.ts';
import { provenRead, withReadings } from '../../src/policy/proven-read.ts';
import { PARTS, type Reading } from '../../src/policy/read-back.ts';
import { backup, NOW, verdict } from './monitored-system.ts';

const MINUTE = 60_000;
/** All parts, from a listing of the backups at that time; it takes ten minutes. */
function whole(rootsAtMs: number, own: Partial<Reading> = {}): Reading {
  const atMs = rootsAtMs + 10 * MINUTE;
  return { level: 'content', opened: true, from: 0, to: PARTS - 1, rootsAtMs, atMs, bad: [], ...own };
}
const storedAt = (atMs: number) => ({ storedAt: [{ store: 'vault', atMs }] });
const judged = (readings: readonly Reading[], ...backups: ReturnType<typeof backup>[]) => {
  const proven = provenRead(readings);
  return withReadings(backups, [{ store: 'vault', ...(proven === undefined ? {} : { proven }) }]);
};

describe('a store that was read back as a whole', () => {
  it('proves the backups that were there before it began, and none that came meanwhile', () => {
    const rootsAtMs = NOW - 60 * MINUTE;
    const before = backup(7200, storedAt(rootsAtMs - MINUTE));
    const meanwhile = backup(3500, storedAt(rootsAtMs + MINUTE));
    const [one, other] = judged([whole(rootsAtMs)], before, meanwhile);
    expect(one?.verdicts).toMatchObject([
      { store: 'vault', level: 'content', ok: true, provedAtMs: rootsAtMs + 10 * MINUTE },
    ]);
    expect(other?.verdicts).toEqual([]);
  });

  it('in parts over weeks: by the part that was read longest ago; a part that never was proves nothing', () => {
    const day = 24 * 60 * MINUTE;
    const parts = [0, 1, 2, 3].map((quarter) =>
      whole(NOW - (4 - quarter) * day, { from: quarter * 64, to: quarter * 64 + 63 }),
    );
    const old = backup(90_000, storedAt(NOW - 5 * day));
    const young = backup(90_000, storedAt(NOW - 3.5 * day));
    expect(judged(parts, old, young).map(isProved)).toEqual([true, false]);
    expect(judged(parts.slice(1), old).map(isProved)).toEqual([false]);
    // The first quarter is read once more.
    expect(judged([...parts, whole(NOW - day / 2, { from: 0, to: 63 })], young).map(isProved)).toEqual([true]);
  });

  it('nothing was opened, only presence was asked, or it is not told when the backups were listed: proves nothing', () => {
    const known = backup(7200, storedAt(NOW - 120 * MINUTE));
    const { rootsAtMs: unused, ...untold } = whole(NOW - 60 * MINUTE);
    expect(unused).toBeDefined();
    for (const reading of [
      whole(NOW - 60 * MINUTE, { opened: false }),
      whole(NOW - 60 * MINUTE, { level: 'presence' }),
      untold,
    ])
      expect(judged([reading], known).map(isProved)).toEqual([false]);
    // Nor is anything known of when this one came there.
    expect(judged([whole(NOW - 60 * MINUTE)], backup(7200)).map(isProved)).toEqual([false]);
  });

  it('something bad: those that need it are not proved, the others are, and none when it is not known who needs it', () => {
    const [a, b] = [backup(7200, storedAt(NOW - 120 * MINUTE)), backup(7300, storedAt(NOW - 121 * MINUTE))];
    const found = (own: object) => ({
      bad: [{ key: 'chunks/00/x', part: 0, healed: false, backups: [a.id], backupCount: 1, ...own }],
    });
    const readings = (own: object) => [whole(NOW - 60 * MINUTE, found(own))];
    expect(judged(readings({}), a, b).map(isProved)).toEqual([false, true]);
    expect(judged(readings({ healed: true }), a, b).map(isProved)).toEqual([true, true]);
    expect(judged(readings({ backupCount: 30 }), a, b).map(isProved)).toEqual([false, false]);
    expect(judged([whole(NOW - 60 * MINUTE, { unnamed: 1 })], a, b).map(isProved)).toEqual([false, false]);
    // A later reading has found it good.
    expect(judged([...readings({}), whole(NOW - 30 * MINUTE)], a, b).map(isProved)).toEqual([true, true]);
  });

  it('beside verdicts of its own: a drill stays a drill, newer damage stays damage, older damage has been healed', () => {
    const came = storedAt(NOW - 120 * MINUTE);
    const seen = (own: Parameters<typeof verdict>[0]) =>
      judged([whole(NOW - 60 * MINUTE)], backup(7200, { ...came, verdicts: [verdict(own)] }))[0];
    expect(seen({ level: 'restored', provedAtMs: NOW })?.verdicts).toMatchObject([
      { level: 'restored', provedAtMs: NOW },
    ]);
    const damaged = seen({ ok: false, errors: 1 });
    expect(damaged?.verdicts).toMatchObject([{ ok: false, errors: 1 }]);
    expect(damaged === undefined ? undefined : isProved(damaged)).toBe(false);
    expect(seen({ ok: false, errors: 1, atMs: NOW - 90 * MINUTE })?.verdicts).toMatchObject([{ ok: true, errors: 0 }]);
  });
});
