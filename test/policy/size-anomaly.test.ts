/** A backup that is much larger or smaller than those before it. */
import { describe, expect, test } from 'vitest';
import { judgeSize, judgeSizes, type SizeFact } from '../../src/policy/size-anomaly.ts';
import { backup, DAY, NOW, parseSystem } from './monitored-system.ts';

const system = parseSystem([]);
const [plan] = system.plans;
if (plan === undefined) throw new Error('the system has a plan');

describe('[T10] size', () => {
  const series = (newest: number, before: readonly number[], stepMs = DAY * 1000): SizeFact[] =>
    [newest, ...before].map((bytes, index) => ({ atMs: NOW - index * stepMs, bytes }));
  const MB = 1_000_000;

  test('half more or half less than the mean of the seven days before, and nothing nearer', () => {
    const mean = 8 * MB;
    for (let percent = 0; percent <= 300; percent += 5) {
      const { state } = judgeSize(series((mean * percent) / 100, new Array<number>(7).fill(mean)), 0.5);
      expect(state).toBe(percent < 50 ? 'smaller' : percent > 150 ? 'larger' : 'usual');
    }
  });

  test('few backups: no alarm, and it says so', () => {
    for (let samples = 0; samples < 3; samples += 1) {
      const verdict = judgeSize(series(99 * MB, new Array<number>(samples).fill(MB)), 0.5);
      expect(verdict).toEqual({ state: 'few', samples });
    }
    expect(judgeSize([], 0.5)).toEqual({ state: 'few', samples: 0 });
  });

  test('older than seven days does not count, but of a weekly plan the last four do', () => {
    const hourly = [...new Array<number>(100).fill(MB), ...new Array<number>(400).fill(9 * MB)];
    expect(judgeSize(series(MB, hourly, 3_600_000), 0.5)).toMatchObject({ samples: 168, state: 'smaller' });
    const weekly = judgeSize(series(9 * MB, [MB, MB, MB, MB, 99 * MB], 7 * DAY * 1000), 0.5);
    expect(weekly).toMatchObject({ samples: 4, meanBytes: MB, state: 'larger' });
  });

  test('the order of what is given and its scale change nothing', () => {
    for (let seed = 1; seed < 50; seed += 1) {
      const sizes = series(
        seed * MB,
        [3, 7, 5, 11, 2, 9].map((one) => one * MB),
      );
      const shuffled = sizes.toSorted((a, b) => ((a.bytes * seed) % 7) - ((b.bytes * seed) % 7));
      const doubled = sizes.map((one) => ({ ...one, bytes: one.bytes * 2 }));
      const { state } = judgeSize(sizes, 0.5);
      expect(judgeSize(shuffled, 0.5).state).toBe(state);
      expect(judgeSize(doubled, 0.5).state).toBe(state);
    }
  });

  test('settings of a few bytes that double are no news; a component that was emptied is', () => {
    expect(judgeSize(series(2000, [1000, 1000, 1000]), 0.5).state).toBe('usual');
    const before = [1, 2, 3, 4].map((day) => backup(day * DAY));
    const component = { name: 'data', kind: 'files', sizeBytes: 0, storedBytes: 0 };
    const [finding] = judgeSizes(system, plan, [backup(60, { components: [component] }), ...before], NOW);
    expect(finding).toMatchObject({ check: 'size', subject: 'daily/data', severity: 'warning' });
    expect(finding?.what).toContain('100 % smaller than usual');
    expect(judgeSizes(system, plan, [backup(60), ...before], NOW)).toEqual([]);
  });
});
