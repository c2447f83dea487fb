/** A drill's report: Markdown for people and repositories, HTML for mail and browsers. Pure. */
import { missedObjectives } from '../policy/drill-verdict.ts';
import type { DrillReport } from '../workflows/drill-contract.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';

export const DRILL_WORDS: Readonly<Record<DrillReport['outcome'], string>> = {
  passed: 'passed',
  failed: 'FAILED: what was restored is not as it should be',
  broken: 'could not be finished, so it says nothing about the backup',
};

interface Part {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function partsOf(report: DrillReport): Part[] {
  const measured = [
    [
      'RTO (restore until the last check)',
      formatSeconds(report.rtoSeconds),
      objective(report.rtoObjectiveSeconds),
      verdict(report.rtoSeconds, report.rtoObjectiveSeconds),
    ],
    ...(report.measured ?? []).map(({ component, seconds, objectiveSeconds }) => [
      `RTO of ${component} (its restore and check)`,
      ...[formatSeconds(seconds), objective(objectiveSeconds), verdict(seconds, objectiveSeconds)],
    ]),
    ...report.losses.map(({ plan, ageSeconds, objectiveSeconds }) => [
      `RPO of plan ${plan} (age of its newest backup)`,
      ageSeconds === undefined ? 'no backup' : formatSeconds(ageSeconds),
      objective(objectiveSeconds),
      verdict(ageSeconds ?? Infinity, objectiveSeconds),
    ]),
  ];
  return [
    { title: 'Measured', head: ['What', 'Measured', 'Objective', ''], rows: measured },
    {
      title: 'Backups',
      head: ['Backup', 'Plan', 'Store', 'Point in time', 'Age', 'Restored'],
      rows: report.sources.map(({ backup, plan, store, pointAt, ageSeconds, whole }) => {
        const parts = report.components.filter((one) => one.backup === backup).map(({ name }) => name);
        return [backup, plan, store, pointAt, formatSeconds(ageSeconds), whole ? 'all of it' : parts.join(', ')];
      }),
    },
    {
      title: 'Components',
      head: ['Component', 'Kind', 'Host', 'Size'],
      rows: report.components.map(({ name, kind, host, sizeBytes }) => [name, kind, host, formatBytes(sizeBytes)]),
    },
    {
      title: 'Time by phase',
      head: ['Phase', 'Took'],
      rows: report.phases.map(({ name, seconds }) => [name, formatSeconds(seconds)]),
    },
    {
      title: 'Assertions',
      head: ['', 'Component', 'Check', 'Seen'],
      rows: report.checks.map(({ component, name, ok, detail }) => [ok ? 'good' : 'BAD', component, name, detail]),
    },
  ];
}

const objective = (seconds: number | undefined): string => (seconds === undefined ? 'none' : formatSeconds(seconds));

function verdict(seconds: number, limit: number | undefined): string {
  if (limit === undefined) return '';
  return seconds <= limit ? 'met' : 'MISSED';
}

/** One sentence each: what a person has to know before the tables. */
export function drillNotes(report: DrillReport): string[] {
  const { comparison, stack, failure, warnings } = report;
  const percent = Math.abs(Math.round((comparison?.change ?? 0) * 100));
  const compared =
    comparison === undefined
      ? 'There is nothing to compare it with yet.'
      : `${percent} % ${comparison.change >= 0 ? 'slower' : 'faster'} than the median of the last ${comparison.drills} (${formatSeconds(comparison.medianRtoSeconds)})${comparison.isRegression ? ': slower than before' : ''}.`;
  return [
    ...(failure === undefined ? [] : [`${failure.message} [${failure.code}]`]),
    ...missedObjectives(report).map((missed) => `Missed: ${missed}.`),
    compared,
    ...(stack === undefined || stack.refused.length > 0
      ? []
      : [`The stack was started in isolation: ${formatCount(stack.services, 'container')}.`]),
    ...(stack?.refused ?? []).map((words) => `The stack was not started: ${words}.`),
    ...(stack?.isolated ?? []).map((words) => `Isolated: ${words}.`),
    ...warnings.map((warning) => `Warning: ${warning}.`),
  ];
}

export function drillTitle({ kind, system }: DrillReport): string {
  return `Drill ${kind} of ${system}`;
}

export function drillMarkdown(report: DrillReport): string {
  const parts = partsOf(report).flatMap(({ title, head, rows }) => [
    `## ${title}`,
    '',
    row(head),
    row(head.map(() => '---')),
    ...rows.map((cells) => row(cells.map(plain))),
    '',
  ]);
  return [
    `# ${drillTitle(report)}`,
    '',
    `${report.startedAt} to ${report.finishedAt}, by ${plain(report.by)}: **${DRILL_WORDS[report.outcome]}**.`,
    '',
    ...drillNotes(report).map((note) => `- ${plain(note)}`),
    '',
    ...parts,
  ].join('\n');
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** Text of others must not become markup. */
function plain(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]<>#|]/g, (mark) => `\\${mark}`).replaceAll('\n', ' ');
}

const STYLE = [
  'body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}',
  'table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .8rem;border-bottom:1px solid #8886}',
  '.bad{color:#c22;font-weight:600}.good{color:#283;font-weight:600}',
].join('');

export function drillHtml(report: DrillReport): string {
  const title = escape(drillTitle(report));
  const parts = partsOf(report).flatMap((part) => [
    `<h2>${escape(part.title)}</h2>`,
    `<table><thead><tr>${part.head.map((cell) => `<th>${escape(cell)}</th>`).join('')}</tr></thead><tbody>`,
    ...part.rows.map((cells) => `<tr>${cells.map(htmlCell).join('')}</tr>`),
    '</tbody></table>',
  ]);
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${title}</title><style>${STYLE}</style></head>`,
    `<body><h1>${title}</h1><p>${escape(report.startedAt)} to ${escape(report.finishedAt)}, by ${escape(report.by)}:`,
    `<strong class="${report.outcome === 'passed' ? 'good' : 'bad'}">${escape(DRILL_WORDS[report.outcome])}</strong></p>`,
    `<ul>${drillNotes(report)
      .map((note) => `<li>${escape(note)}</li>`)
      .join('')}</ul>`,
    ...parts,
    '</body></html>',
    '',
  ].join('\n');
}

function htmlCell(cell: string): string {
  const mark =
    cell === 'BAD' || cell === 'MISSED' ? ' class="bad"' : cell === 'good' || cell === 'met' ? ' class="good"' : '';
  return `<td${mark}>${escape(cell)}</td>`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
