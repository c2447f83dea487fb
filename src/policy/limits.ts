/** What a plan is held to: what its file says, else what follows from its objective and its schedule. Pure. */
import { USUAL_LIMITS } from '../system/monitor-build.ts';
import type { Plan, System, Tier } from '../system/types.ts';
import type { Severity } from './findings.ts';
import { longestIntervalSeconds } from './schedule-interval.ts';

export interface Limits {
  /** Of the newest usable backup; absent: the plan promises none. */
  readonly newestSeconds?: number;
  /** Where `newestSeconds` comes from, for people. */
  readonly newestFrom?: string;
  readonly provedSeconds?: number;
  readonly walGapSeconds?: number;
  readonly sizeChange: number;
  /** How long a backup may lack its copy in this store. */
  readonly copySeconds: (store: string) => number | undefined;
}

const HOUR = 3600;
const LEAST_MARGIN = 300;

/**
 * A backup is there some time after its run began: up to half an interval and an hour, or a twenty-fourth of a long one.
 * Hourly runs may so be 90 minutes old, daily ones 25 hours, weekly ones 7 days and 7 hours.
 */
export function marginSeconds(intervalSeconds: number): number {
  return Math.round(Math.max(LEAST_MARGIN, Math.min(HOUR, intervalSeconds / 2), intervalSeconds / 24));
}

/**
 * `limits.newest`, else the rpo (with a margin where the schedule runs no oftener), else the longest interval of the
 * schedule with a margin. An rpo of nothing lost is about changes and not about age: then the schedule counts. Throws on a
 * bad cron expression.
 */
export function limitsOf(plan: Pick<Plan, 'limits' | 'rpoSeconds' | 'schedule'>, nowMs: number): Limits {
  const given = plan.limits ?? USUAL_LIMITS;
  const newest = newestLimit(plan, nowMs);
  return {
    ...(newest === undefined ? {} : { newestSeconds: newest.seconds, newestFrom: newest.from }),
    ...(given.provedSeconds === undefined ? {} : { provedSeconds: given.provedSeconds }),
    ...(given.walGapSeconds === undefined ? {} : { walGapSeconds: given.walGapSeconds }),
    sizeChange: given.sizeChange,
    copySeconds: (store) => given.copyInSeconds[store] ?? given.copySeconds ?? newest?.seconds,
  };
}

function newestLimit(
  { limits, rpoSeconds = 0, schedule }: Pick<Plan, 'limits' | 'rpoSeconds' | 'schedule'>,
  nowMs: number,
): { seconds: number; from: string } | undefined {
  if (limits?.newestSeconds !== undefined) return { seconds: limits.newestSeconds, from: 'its limit' };
  const interval = schedule === undefined ? undefined : longestIntervalSeconds(schedule, nowMs);
  if (rpoSeconds > 0) return ofObjective(rpoSeconds, interval);
  return interval === undefined
    ? undefined
    : { seconds: interval + marginSeconds(interval), from: 'what its schedule makes' };
}

/** A system that may lose less than a day is told of a day without a backup, whatever the margin. */
const LATEST_SECONDS = 24 * HOUR;

/** A schedule as tight as the objective would break it each time while a run goes on: then there is a margin. */
function ofObjective(rpoSeconds: number, interval: number | undefined): { seconds: number; from: string } {
  const isTight = interval !== undefined && interval + marginSeconds(interval) > rpoSeconds;
  if (!isTight) return { seconds: rpoSeconds, from: 'its rpo' };
  const withMargin = rpoSeconds + marginSeconds(rpoSeconds);
  const seconds = rpoSeconds < LATEST_SECONDS ? Math.min(withMargin, LATEST_SECONDS) : withMargin;
  return { seconds, from: 'its rpo and the time for a run' };
}

const TIERS: readonly Tier[] = ['critical', 'important', 'reference'];

/** The most important tier of what the plan captures. */
export function tierOf(system: Pick<System, 'components'>, plan: Pick<Plan, 'components'>): Tier {
  const own = system.components.filter(({ name }) => plan.components.includes(name)).map(({ tier }) => tier);
  return TIERS.find((tier) => own.includes(tier)) ?? 'important';
}

/** `grave`: what was promised is gone or broken, rather than late. */
export function severityOf(tier: Tier, grave: boolean): Severity {
  if (tier === 'critical') return 'critical';
  return tier === 'important' && grave ? 'critical' : 'warning';
}

/** Of what concerns all of a system. */
export function systemTier(system: Pick<System, 'components'>): Tier {
  return tierOf(system, { components: system.components.map(({ name }) => name) });
}
