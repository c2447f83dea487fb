import { describe, expect, it } from 'vitest';
import { runCrashSuite } from '../../scripts/crash/run.ts';

/** Two cycles for each lane, so that each of its rounds is struck; `npm run crash` strikes more. */
const POINTS = 24;
/** Always the same here, so that a run that fails can be repeated; `npm run crash` draws others. */
const SEED = 20_260;

describe('crashes spread over backup, restore, the receiving of a log, the putting back of rows, copy, prune and healing', () => {
  it(
    `[M5] ${POINTS} points in workers, engine, store and database server: completed or failed cleanly, the same bytes back, nothing left paused, nothing stored twice`,
    // Minutes long: the runner runs the file again if need be, so that it isn't tried twice twice.
    { timeout: 20 * 60_000, retry: 0 },
    async () => {
      const lines: string[] = [];
      const report = await runCrashSuite({ seed: SEED, points: POINTS, say: (line) => lines.push(line) });
      expect(report.broken, lines.join('\n')).toEqual([]);
      expect(report.points.map(({ seed }) => seed).sort((one, other) => one - other)).toEqual(
        Array.from({ length: POINTS }, (_, index) => SEED + index),
      );
      // A suite whose blows all come too late would prove nothing.
      expect(report.points.filter(({ hit }) => hit).length).toBeGreaterThan(POINTS / 2);
    },
  );
});
