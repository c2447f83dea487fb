import { describe, expect, it } from 'vitest';
import { COMPONENT_LANES, runCrashSuite } from '../../scripts/crash/run.ts';

/** Two cycles for each lane, so that each of its rounds is struck; `npm run crash` strikes more. */
const POINTS = 24;
/** Always the same here, so that a run that fails can be repeated; `npm run crash` draws others. */
const SEED = 20_260;
/** Of whole systems: the swap of a restore struck by two blows, and a drill by a power cut. */
const SYSTEMS = { lanes: ['crash-whole', 'crash-drill'], seed: 249_553, points: 3 } as const;

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
        lanes: COMPONENT_LANES,
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
    `[M5] [M9] [T9] [T12] [G5] ${SYSTEMS.points} points in a whole system's restore and in a drill: all as it was, nothing left`,
    { timeout: 10 * 60_000, retry: 0 },
    async () => {
      const lines: string[] = [];
      const report = await runCrashSuite({ ...SYSTEMS, say: (line) => lines.push(line) });
      expect(report.broken, lines.join('\n')).toEqual([]);
      expect(report.points.length).toBe(SYSTEMS.points);
    },
  );
});
