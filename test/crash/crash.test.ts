import { describe, expect, it } from 'vitest';
import { LANES, runCrashSuite } from '../../scripts/crash/run.ts';

/** Two cycles for each lane, so that each of its rounds is struck; `npm run crash` strikes more. */
const POINTS = 24;
/** Always the same here, so that a run that fails can be repeated; `npm run crash` draws others. */
const SEED = 20_260;
/** Struck by themselves, so that the seeds above stay where they are. */
const APART: readonly string[] = ['crash-whole', 'crash-drill', 'crash-missing', 'crash-clean'];
/** Of a whole system: one cycle, which is struck in the swap; it has lanes of its own, so that the seeds above stay where they are. */
const WHOLE = { lanes: ['crash-whole'], seed: 4004, points: 2 } as const;

describe('crashes spread over backup, restore, the receiving of a log, the putting back of rows, copy, prune and healing', () => {
  it(
    `[M5] ${POINTS} points in workers, engine, store and database server: completed or failed cleanly, the same bytes back, nothing left paused, nothing stored twice`,
    // Minutes long: the runner runs the file again if need be, so that it isn't tried twice twice.
    { timeout: 20 * 60_000, retry: 0 },
    async () => {
      const lines: string[] = [];
      const report = await runCrashSuite({
        seed: SEED,
        points: POINTS,
        lanes: LANES.filter((lane) => !APART.includes(lane)),
        say: (line) => lines.push(line),
      });
      expect(report.broken, lines.join('\n')).toEqual([]);
      expect(report.points.map(({ seed }) => seed).sort((one, other) => one - other)).toEqual(
        Array.from({ length: POINTS }, (_, index) => SEED + index),
      );
      // A suite whose blows all come too late would prove nothing.
      expect(report.points.filter(({ hit }) => hit).length).toBeGreaterThan(POINTS / 2);
    },
  );

  it(
    `[M5] [T9] [G5] ${WHOLE.points} points in a whole system's backup and restore: all of it as it was, and nothing left`,
    { timeout: 10 * 60_000, retry: 0 },
    async () => {
      const lines: string[] = [];
      const report = await runCrashSuite({ ...WHOLE, say: (line) => lines.push(line) });
      expect(report.broken, lines.join('\n')).toEqual([]);
      expect(report.points.length).toBe(WHOLE.points);
    },
  );
});
