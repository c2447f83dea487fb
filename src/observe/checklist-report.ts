/** A checklist as a report: Markdown for people and repositories, HTML for mail and browsers. Pure. */

export interface ReportPoint {
  readonly id: string;
  readonly text: string;
  readonly state: 'pass' | 'fail' | 'unknown' | 'open' | 'signed';
  readonly evidence: string;
  readonly todo?: string | undefined;
  readonly by?: string | undefined;
  readonly at?: string | undefined;
}

export interface ChecklistReport {
  readonly system: string;
  readonly title: string;
  readonly at: string;
  readonly by: string;
  readonly outcome: 'complete' | 'open' | 'failed' | 'unknown';
  readonly points: readonly ReportPoint[];
}

export const OUTCOME_WORDS: Readonly<Record<ChecklistReport['outcome'], string>> = {
  complete: 'complete',
  open: 'waits for signatures',
  failed: 'something is wrong',
  unknown: 'not everything could be seen',
};
const MARKS: Readonly<Record<ReportPoint['state'], string>> = {
  pass: 'x',
  signed: 'x',
  fail: '!',
  unknown: '?',
  open: ' ',
};
const WORDS: Readonly<Record<ReportPoint['state'], string>> = {
  pass: 'yes',
  signed: 'signed',
  fail: 'no',
  unknown: 'not known',
  open: 'open',
};

/** Who signed, and when, beside what was seen. */
export function seenText({ evidence, by, at }: ReportPoint): string {
  return by === undefined ? evidence : `${evidence} (${by}, ${at ?? ''})`;
}

export function checklistMarkdown(report: ChecklistReport): string {
  const points = report.points.map((point) => {
    const todo = point.todo === undefined ? '' : `\n  - to do: ${codeOrText(point.todo)}`;
    return `- [${MARKS[point.state]}] **${plain(point.text)}** (${WORDS[point.state]}): ${plain(seenText(point))}${todo}`;
  });
  const { system, title, at, by, outcome } = report;
  return [
    `# ${title}: ${system}`,
    '',
    `${at}, by ${plain(by)}: **${OUTCOME_WORDS[outcome]}**.`,
    '',
    ...points,
    '',
  ].join('\n');
}

function codeOrText(todo: string): string {
  return todo.startsWith('holdfast ') ? `\`${todo}\`` : plain(todo);
}

/** Text of others must not become markup. */
function plain(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]<>#|]/g, (mark) => `\\${mark}`).replaceAll('\n', ' ');
}

export function checklistHtml(report: ChecklistReport): string {
  const { system, title, at, by, outcome } = report;
  const rows = report.points.map(
    (point) =>
      `<tr class="${point.state}"><td>${WORDS[point.state]}</td><td>${escape(point.text)}</td><td>${escape(seenText(point))}</td><td>${escape(point.todo ?? '')}</td></tr>`,
  );
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escape(title)}: ${escape(system)}</title>`,
    '<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}',
    'table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .8rem;border-bottom:1px solid #8886}',
    '.fail td:first-child{color:#c22;font-weight:600}.unknown td:first-child,.open td:first-child{color:#a60;font-weight:600}</style></head>',
    `<body><h1>${escape(title)}: ${escape(system)}</h1><p>${escape(at)}, by ${escape(by)}: <strong>${OUTCOME_WORDS[outcome]}</strong></p>`,
    '<table><thead><tr><th>Answer</th><th>Point</th><th>Seen</th><th>To do</th></tr></thead><tbody>',
    ...rows,
    '</tbody></table></body></html>',
    '',
  ].join('\n');
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
