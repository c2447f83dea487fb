/** What the looks of monitoring come to on a server that keeps every history as long as its namespace says. Pure. */
import { intervalsSeconds, specOf } from './due-times.ts';
import type { System } from '../system/types.ts';

/** Measured: a run of the schedule (3.1 KB) and one of `monitor` (9.7 KB) with one host, 47 events together. */
export const LOOK_BYTES = 12_800;
const RUNS_EACH = 2;

export interface LooksKept {
  /** Closed runs that lie there at any time. */
  readonly runs: number;
  /** About; without the database's own overhead. */
  readonly bytes: number;
}

export function looksKept(
  systems: readonly Pick<System, 'maintenance'>[],
  keptSeconds: number,
  nowMs: number,
): LooksKept {
  const looks = systems.map(({ maintenance }) => {
    const [everySeconds] = intervalsSeconds(specOf(maintenance.monitor), nowMs);
    return everySeconds === undefined ? 0 : keptSeconds / everySeconds;
  });
  const all = Math.round(looks.reduce((sum, one) => sum + one, 0));
  return { runs: RUNS_EACH * all, bytes: all * LOOK_BYTES };
}
