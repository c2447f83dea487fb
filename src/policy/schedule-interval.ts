/** How often a plan's schedule runs. Pure: it computes with the cron expression and a given moment. */
import { Cron } from 'croner';

const RUNS = 64;

interface Schedule {
  readonly cron: string;
  readonly timeZone: string;
}

/** The shortest time between two of the next runs; undefined when there are fewer than two. Throws on a bad expression. */
export function scheduleIntervalSeconds(schedule: Schedule, nowMs: number): number | undefined {
  const gaps = gapsSeconds(schedule, nowMs);
  return gaps.length === 0 ? undefined : Math.min(...gaps);
}

/** The longest, as from Friday to Monday. */
export function longestIntervalSeconds(schedule: Schedule, nowMs: number): number | undefined {
  const gaps = gapsSeconds(schedule, nowMs);
  return gaps.length === 0 ? undefined : Math.max(...gaps);
}

function gapsSeconds({ cron, timeZone }: Schedule, nowMs: number): number[] {
  const runs = new Cron(cron, { timezone: timeZone, paused: true }).nextRuns(RUNS, new Date(nowMs));
  return runs.slice(1).map((run, index) => (run.getTime() - (runs[index]?.getTime() ?? 0)) / 1000);
}
