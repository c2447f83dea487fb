/** Whether drills are made as they are declared, and how the newest of each kind ended. Pure. */
import { formatSeconds } from '../observe/format.ts';
import type { System } from '../system/types.ts';
import type { DrillReport } from '../workflows/drill-contract.ts';
import { missedObjectives } from './drill-verdict.ts';
import type { Finding } from './findings.ts';
import { longestIntervalSeconds } from './schedule-interval.ts';

/** How late it may be: people are told before some of them, and a large restore takes its time. */
const GRACE_SHARE = 0.1;
const GRACE_LEAST_SECONDS = 24 * 3600;

/** Reports newest first. `sinceMs`: since when there could have been a drill; undefined where nobody knows. */
export function judgeDrills(
  system: System,
  reports: readonly DrillReport[],
  sinceMs: number | undefined,
  nowMs: number,
): Finding[] {
  return system.drills.flatMap((drill) => {
    const own = reports.filter(({ kind }) => kind === drill.name);
    const [newest] = own;
    const found = newest === undefined ? undefined : judgeOne(system.name, newest);
    if (found !== undefined) return [found];
    if (drill.schedule === undefined || drill.schedule.paused === true) return [];
    const interval = longestIntervalSeconds(drill.schedule, nowMs);
    const lastMs = own.find(({ outcome }) => outcome === 'passed')?.finishedAt;
    const fromMs = lastMs === undefined ? sinceMs : Date.parse(lastMs);
    if (interval === undefined || fromMs === undefined) return [];
    const limit = interval + Math.max(interval * GRACE_SHARE, GRACE_LEAST_SECONDS);
    const age = Math.round((nowMs - fromMs) / 1000);
    if (age <= limit) return [];
    const what =
      lastMs === undefined
        ? `drill ${drill.name} was never made; one is due every ${formatSeconds(interval)}`
        : `drill ${drill.name} was made ${formatSeconds(age)} ago; one is due every ${formatSeconds(interval)}`;
    return [
      finding(system.name, drill.name, 'warning', what, {
        hint: `See why it did not run: holdfast schedule list ${system.name}; make it now: holdfast drill ${system.name} --kind ${drill.name}`,
        since: new Date(fromMs + limit * 1000).toISOString(),
      }),
    ];
  });
}

/** Undefined: it passed, in time. */
function judgeOne(system: string, report: DrillReport): Finding | undefined {
  const { kind, outcome, failure, checks, finishedAt: since } = report;
  const hint = `See its report: holdfast drills ${system} --show latest; try again: holdfast drill ${system} --kind ${kind}`;
  const bad = checks.filter(({ ok }) => !ok).map(({ component, name, detail }) => `${component}: ${name}: ${detail}`);
  const why = bad[0] ?? failure?.message ?? 'no reason is known';
  if (outcome === 'failed') {
    return finding(system, kind, 'critical', `drill ${kind} failed: ${why}`, { hint, since });
  }
  if (outcome === 'broken') {
    return finding(system, kind, 'warning', `drill ${kind} could not be finished: ${why}`, { hint, since });
  }
  const missed = [
    ...missedObjectives({ ...report, losses: [] }),
    ...(report.comparison?.isRegression === true
      ? [`it took ${formatSeconds(report.rtoSeconds)}, usually ${formatSeconds(report.comparison.medianRtoSeconds)}`]
      : []),
  ];
  if (missed.length === 0) return undefined;
  return finding(system, kind, 'warning', `drill ${kind} passed, but: ${missed.join('; ')}`, { hint, since });
}

function finding(
  system: string,
  subject: string,
  severity: Finding['severity'],
  what: string,
  more: Pick<Finding, 'hint' | 'since'>,
): Finding {
  return { system, check: 'drill', subject, severity, what, ...more };
}
