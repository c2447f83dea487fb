/** What the reports of drills say, as samples: by kind, of the newest. Pure. */
import type { System } from '../system/types.ts';
import type { DrillReport } from '../workflows/contract.ts';
import type { Sample } from './definitions.ts';

/** Reports newest first. A kind that is declared and was never made has never succeeded. */
export function drillSamples({ name: system, drills }: System, reports: readonly DrillReport[]): Sample[] {
  const kinds = new Set([...drills.map(({ name }) => name), ...reports.map(({ kind }) => kind)]);
  return [...kinds].flatMap((kind): Sample[] => {
    const own = reports.filter((report) => report.kind === kind);
    const [newest] = own;
    const passed = own.find(({ outcome }) => outcome === 'passed');
    const labels = { system, kind };
    const value = passed === undefined ? 0 : Date.parse(passed.finishedAt) / 1000;
    const last: Sample = { name: 'holdfast_drill_last_success_timestamp_seconds', labels, value };
    return newest === undefined ? [last] : [last, ...newestSamples(newest, labels)];
  });
}

function newestSamples(report: DrillReport, labels: Readonly<Record<string, string>>): Sample[] {
  const { outcome, rtoSeconds, rtoObjectiveSeconds, startedAt, finishedAt } = report;
  const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
  return [
    { name: 'holdfast_drill_passed', labels, value: Number(outcome === 'passed') },
    { name: 'holdfast_drill_rto_seconds', labels, value: rtoSeconds },
    { name: 'holdfast_drill_duration_seconds', labels, value: seconds },
    ...(rtoObjectiveSeconds === undefined
      ? []
      : [{ name: 'holdfast_drill_rto_objective_seconds', labels, value: rtoObjectiveSeconds }]),
  ];
}
