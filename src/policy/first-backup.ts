/**
 * When the first backup of a plan is due, so that a system that has just begun is no alarm. Counted from moments that are
 * recorded outside of any process, and never longer than until the first due time and the time for a run: that there is
 * no backup stays an alarm. Pure.
 */
import type { Plan } from '../system/types.ts';
import { nextRun, specOf } from './due-times.ts';
import { CLOCK_TOLERANCE_MS } from './freshness.ts';
import { marginSeconds } from './limits.ts';
import { longestIntervalSeconds } from './schedule-interval.ts';

/** Where a plan began, as far as it could be seen. */
export interface Begun {
  /** When the oldest of its vaults was made, by their own words. */
  readonly vaultMs?: number | undefined;
  /** When the engine was given the schedule of the plan: later than the vault for a plan that was added. */
  readonly scheduleMs?: number | undefined;
}

export interface FirstDue {
  readonly dueAtMs: number;
  /** Until then nothing is missing. */
  readonly untilMs: number;
}

/** Since when backups of the plan could have been made; undefined when that is not known, or claimed to be yet to come. */
export function begunMs({ vaultMs, scheduleMs }: Begun, nowMs: number): number | undefined {
  if (vaultMs === undefined) return undefined;
  const since = Math.max(vaultMs, scheduleMs ?? vaultMs);
  return since > nowMs + CLOCK_TOLERANCE_MS ? undefined : since;
}

/** Undefined for a plan that nothing runs by itself, and when the time for its first backup is over. */
export function firstDue(plan: Pick<Plan, 'schedule'>, begun: Begun, nowMs: number): FirstDue | undefined {
  const { schedule } = plan;
  const sinceMs = begunMs(begun, nowMs);
  if (schedule === undefined || schedule.paused === true || sinceMs === undefined) return undefined;
  const dueAtMs = nextRun(specOf(schedule), sinceMs);
  if (dueAtMs === undefined) return undefined;
  const interval = longestIntervalSeconds(schedule, sinceMs) ?? 0;
  const untilMs = dueAtMs + (marginSeconds(interval) + (schedule.jitterSeconds ?? 0)) * 1000;
  return nowMs > untilMs ? undefined : { dueAtMs, untilMs };
}
