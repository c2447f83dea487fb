/** Drills as people read them, and the exit code that their results mean. */
import type { Colours } from '../observe/colours.ts';
import { drillNotes, drillTitle, DRILL_WORDS } from '../observe/drill-report.ts';
import { formatAge, formatBytes, formatCount, formatSeconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { missedObjectives } from '../policy/drill-verdict.ts';
import type { DrillPlan, DrillReport, DrillResult } from '../workflows/contract.ts';
import type { ExitCode, Shell } from './shell.ts';

/** Exit 0 passed, 1 failed or an objective missed, 2 it could not be told. */
export function showDrillResult(shell: Shell, result: DrillResult): ExitCode {
  const { plan, report } = result;
  shell.result(result, (colours) => {
    if (report === undefined) return plan === undefined ? result.outcome : drillPlanText(plan, colours);
    const proofs = (result.proofs ?? []).map(({ backup, store, ok }) =>
      ok ? `  proved    ${backup} in ${store}` : `  ${colours.red('bad')}       ${backup} in ${store}`,
    );
    return [drillText(report, colours), ...proofs, `  report    ${result.reportKey ?? ''}`].join('\n');
  });
  if (report === undefined) return 0;
  if (report.outcome === 'broken') return 2;
  return report.outcome === 'passed' && missedObjectives(report).length === 0 ? 0 : 1;
}

export function drillPlanText(plan: DrillPlan, colours: Colours): string {
  const { stack } = plan;
  return [
    `${colours.bold(`drill ${plan.kind}`)}: nothing live is touched; all of this is made, checked and removed`,
    ...plan.sources.map(
      ({ backup, plan: of, store, ageSeconds, whole }) =>
        `  backup    ${backup} of plan ${of} in ${store}, ${formatSeconds(ageSeconds)} old${whole ? '' : ' (a part of it)'}`,
    ),
    ...plan.components.map(({ name, host, sizeBytes, backup, becomes }) => {
      return `  restore   ${name} on ${host} from ${backup}, ${formatBytes(sizeBytes)}: ${becomes}`;
    }),
    ...(stack === undefined
      ? []
      : [
          `  start     project ${stack.project} as ${stack.scratchProject}: ${stack.services.join(', ')}`,
          ...stack.isolated.map((words) => `  isolated  ${words}`),
          ...stack.refused.map((words) => `  ${colours.red('refused')}   ${words}`),
        ]),
    ...plan.warnings.map((warning) => `  ${colours.yellow('warning')}   ${warning}`),
  ].join('\n');
}

export function drillText(report: DrillReport, colours: Colours): string {
  const good = report.outcome === 'passed';
  const bad = report.checks.filter(({ ok }) => !ok);
  const phases = report.phases.map(({ name, seconds }) => `${name} ${formatSeconds(seconds)}`).join(', ');
  return [
    `${colours.bold(drillTitle(report))}: ${good ? colours.green('passed') : colours.red(DRILL_WORDS[report.outcome])}`,
    `  at        ${report.startedAt}, by ${report.by} (${report.drillId})`,
    ...report.sources.map(({ backup, plan, store, ageSeconds }) => {
      return `  backup    ${backup} of plan ${plan} in ${store}, ${formatSeconds(ageSeconds)} old`;
    }),
    `  rto       ${formatSeconds(report.rtoSeconds)}${ofObjective(report.rtoObjectiveSeconds)}: ${phases}`,
    ...report.losses.map(({ plan, ageSeconds, objectiveSeconds }) => {
      const age = ageSeconds === undefined ? 'no backup' : formatSeconds(ageSeconds);
      return `  rpo       ${plan}: ${age}${ofObjective(objectiveSeconds)}`;
    }),
    `  checks    ${formatCount(report.checks.length - bad.length, 'good one')}${bad.length === 0 ? '' : `, ${colours.red(`${bad.length} bad`)}`}`,
    ...bad.map(({ component, name, detail }) => `  ${colours.red('BAD')}       ${component}: ${name}: ${detail}`),
    ...drillNotes(report).map((note) => `  note      ${note}`),
  ].join('\n');
}

const ofObjective = (seconds: number | undefined): string =>
  seconds === undefined ? '' : ` of ${formatSeconds(seconds)}`;

export function drillsTable(drills: readonly DrillReport[], colours: Colours, nowMs: number): string {
  const rows = drills.map((one) => {
    const missed = missedObjectives(one).length > 0 ? ', objective missed' : '';
    const ended = one.outcome === 'passed' ? colours.green(`passed${missed}`) : colours.red(one.outcome);
    const rto = `${formatSeconds(one.rtoSeconds)}${ofObjective(one.rtoObjectiveSeconds)}`;
    const backups = one.sources.map(({ backup }) => backup).join(', ');
    return [
      one.drillId.slice(0, 8),
      formatAge(Date.parse(one.startedAt), nowMs),
      one.kind,
      ended,
      rto,
      backups,
      one.by,
    ];
  });
  return table(['DRILL', 'WHEN', 'KIND', 'ENDED', 'RTO', 'BACKUP', 'BY'], rows, colours);
}
