/** How often a plan's schedule runs. Pure: it computes with the times of the schedule and a given moment. */
import type { ScheduleTimes } from '../system/types.ts';
import { intervalsSeconds, specOf } from './due-times.ts';

/** The shortest time between two of the next runs; undefined when there are fewer than two. Throws on a bad expression. */
export function scheduleIntervalSeconds(schedule: ScheduleTimes, nowMs: number): number | undefined {
  const gaps = intervalsSeconds(specOf(schedule), nowMs);
  return gaps.length === 0 ? undefined : Math.min(...gaps);
}

/** The longest, as from Friday to Monday; the one that goes on now counts, as the 25 hours when clocks are put back. */
export function longestIntervalSeconds(schedule: ScheduleTimes, nowMs: number): number | undefined {
  const spec = specOf(schedule);
  const coming = intervalsSeconds(spec, nowMs);
  if (coming.length === 0) return undefined;
  const longest = Math.max(...coming);
  // Twice, because the run at its end takes its time.
  return Math.max(longest, ...intervalsSeconds(spec, nowMs - 2 * longest * 1000));
}
