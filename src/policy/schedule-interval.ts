/** How often a plan's schedule runs. Pure: it computes with the cron expression and a given moment. */
import { Cron } from 'croner';

const RUNS = 64;

/** The shortest time between two of the next runs; undefined when there are fewer than two. Throws on a bad expression. */
export function scheduleIntervalSeconds(
  schedule: { readonly cron: string; readonly timeZone: string },
  nowMs: number,
): number | undefined {
  const runs = new Cron(schedule.cron, { timezone: schedule.timeZone, paused: true }).nextRuns(RUNS, new Date(nowMs));
  const gaps = runs.slice(1).map((run, index) => (run.getTime() - (runs[index]?.getTime() ?? 0)) / 1000);
  return gaps.length === 0 ? undefined : Math.min(...gaps);
}
