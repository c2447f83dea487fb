/** What the figures of a drill say: against the objectives, and against the drills before it. Pure. */
import type { FailureCode } from '../failures.ts';
import type { System } from '../system/types.ts';
import type { DrillComparison, DrillReport, MeasuredComponent } from '../workflows/drill-contract.ts';

/** With fewer there is nothing to compare with. */
const COMPARED_WITH = 2;
const NEWEST = 10;
/** Slower by half and by this many seconds: what a busy machine explains is less. */
const SLOWER_BY = 0.5;
const SLOWER_SECONDS = 5;

/** Of the same kind, those that passed, newest first or not; undefined while there are too few. */
export function compareWith(
  report: Pick<DrillReport, 'drillId' | 'kind' | 'outcome' | 'rtoSeconds'>,
  earlier: readonly Pick<DrillReport, 'drillId' | 'kind' | 'outcome' | 'rtoSeconds' | 'startedAt'>[],
): DrillComparison | undefined {
  const same = earlier
    .filter(({ kind, outcome, drillId }) => kind === report.kind && outcome === 'passed' && drillId !== report.drillId)
    .toSorted((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt))
    .slice(0, NEWEST)
    .map(({ rtoSeconds }) => rtoSeconds);
  if (report.outcome !== 'passed' || same.length < COMPARED_WITH) return undefined;
  const medianRtoSeconds = medianOf(same);
  const change = medianRtoSeconds === 0 ? 0 : report.rtoSeconds / medianRtoSeconds - 1;
  const isRegression = change > SLOWER_BY && report.rtoSeconds - medianRtoSeconds > SLOWER_SECONDS;
  return { drills: same.length, medianRtoSeconds, change: Math.round(change * 1000) / 1000, isRegression };
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

/** Objectives that this drill missed, in words; empty: none. */
export function missedObjectives(
  report: Pick<DrillReport, 'rtoSeconds' | 'rtoObjectiveSeconds' | 'measured' | 'losses' | 'outcome'>,
): string[] {
  const { rtoSeconds, rtoObjectiveSeconds, measured = [], losses, outcome } = report;
  const slow = outcome === 'passed' && rtoObjectiveSeconds !== undefined && rtoSeconds > rtoObjectiveSeconds;
  return [
    ...(slow ? [`RTO: it took ${String(rtoSeconds)} s of ${String(rtoObjectiveSeconds)} s`] : []),
    ...measured.flatMap(({ component, seconds, objectiveSeconds }) =>
      outcome === 'passed' && seconds > objectiveSeconds
        ? [`RTO of ${component}: it took ${String(seconds)} s of ${String(objectiveSeconds)} s`]
        : [],
    ),
    ...losses.flatMap(({ plan, ageSeconds, objectiveSeconds }) => {
      if (objectiveSeconds === undefined) return [];
      if (ageSeconds === undefined) return [`RPO: plan ${plan} has no usable backup`];
      if (ageSeconds <= objectiveSeconds) return [];
      return [`RPO: the newest of plan ${plan} is ${String(ageSeconds)} s old, of ${String(objectiveSeconds)} s`];
    }),
  ];
}

/** What is promised of each: by its own objective, else by that of its tier. */
export function componentObjectives({
  components,
  objectives,
}: Pick<System, 'components' | 'objectives'>): Record<string, number> {
  return Object.fromEntries(
    components.flatMap(({ name, tier }) => {
      const seconds = objectives.components[name] ?? objectives.tiers[tier];
      return seconds === undefined ? [] : [[name, seconds]];
    }),
  );
}

/** Of those that were restored: how long each took by itself. What was not, failed before it could be measured. */
export function measuredComponents(
  phases: DrillReport['phases'],
  objectives: Readonly<Record<string, number>>,
): MeasuredComponent[] {
  return Object.entries(objectives).flatMap(([component, objectiveSeconds]) => {
    const own = phases.filter(({ name }) => name === `restore ${component}` || name === `check ${component}`);
    if (own.length < 2) return [];
    const seconds = Math.round(own.reduce((sum, phase) => sum + phase.seconds, 0) * 100) / 100;
    return [{ component, seconds, objectiveSeconds }];
  });
}

/** What speaks about the backup itself. Everything else (a full disk, a silent host) leaves open how good it is. */
const ABOUT_THE_BACKUP: readonly FailureCode[] = [
  'CheckFailed',
  'ObjectCorrupt',
  'ObjectMissing',
  'ArchiveBroken',
  'SourceCorrupt',
  'Unhealthy',
  'Untrusted',
  'UnsafePath',
  'VaultFormat',
];

export function outcomeOfFailure(code: FailureCode): 'failed' | 'broken' {
  return ABOUT_THE_BACKUP.includes(code) ? 'failed' : 'broken';
}
