/** The end of a whole system's restore as a Markdown report: for people, and for who has to answer for it. Pure. */
import type { RestoreResult, WholePlan, WholeResult } from '../workflows/contract.ts';
import { passedOverTexts } from '../policy/fall-back.ts';
import { differenceLines, type FoundDifferences } from './difference-lines.ts';
import { formatMilliseconds, formatSeconds } from './format.ts';

type Result = RestoreResult & { readonly whole: WholeResult };

export function isWholeRestore(report: Readonly<Record<string, unknown>>): report is Record<string, unknown> & Result {
  return typeof report['whole'] === 'object' && report['whole'] !== null && typeof report['plan'] === 'object';
}

export function wholeRestoreMarkdown(
  { system, id, at }: { readonly system: string; readonly id: string; readonly at: string },
  result: Result,
  differences: FoundDifferences,
): string {
  const { plan, whole, outcome, why, safetyBackup, downtimeMs, aside, warnings = [] } = result;
  const passed = passedOverTexts(plan.whole?.passedOver ?? []);
  return [
    `# Restore of ${system}: ${outcome}`,
    '',
    `${at}, run \`${id}\`, plan \`${plan.digest.slice(0, 12)}\`.`,
    ...(why === undefined ? [] : ['', plain(why)]),
    '',
    '## What came back',
    '',
    ...(plan.whole === undefined ? [] : [...partRows(plan.whole, whole), ...passedOverRows(plan.whole)]),
    '',
    `- safety backup of what was there: ${safetyBackup ?? 'none'}`,
    ...(downtimeMs === undefined ? [] : [`- downtime: ${formatMilliseconds(downtimeMs)}`]),
    ...aside.map((place) => `- kept aside: ${plain(place)}`),
    ...warnings.filter((warning) => !passed.includes(warning)).map((warning) => `- warning: ${plain(warning)}`),
    '',
    '## How long it took',
    '',
    ...rtoRows(whole),
    '',
    '| phase | time |',
    '| --- | --- |',
    ...whole.phases.map(({ name, ms }) => row([name, formatMilliseconds(ms)])),
    '',
    '## Validation',
    '',
    ...(whole.checks.length === 0 ? ['The system file has no `checks`.'] : checkRows(whole)),
    ...result.checks.map(
      ({ component, name, ok, detail }) => `- [${ok ? 'x' : '!'}] ${plain(`${component}: ${name}: ${detail}`)}`,
    ),
    '',
    '## Reconciliation',
    '',
    ...(whole.reconcile.length === 0 ? ['The system file has no `reconcile`.'] : reconcileRows(whole, differences)),
    '',
  ].join('\n');
}

function partRows({ parts, missing, spreadSeconds }: WholePlan, { left }: WholeResult): string[] {
  const stayed = (name: string): string | undefined => left.find((one) => one.name === name)?.why;
  return [
    `The recovery points lie ${formatSeconds(spreadSeconds)} apart.`,
    '',
    '| component | backup | store | recovery point | lost | promised | |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...parts.map(({ name, backup, store, pointAt, recoverTo, lostSeconds, rpoSeconds }) =>
      row([
        name,
        recoverTo === undefined ? backup : `${backup}, then its log`,
        store,
        pointAt ?? '',
        lostSeconds === undefined ? '' : formatSeconds(lostSeconds),
        rpoSeconds === undefined ? '' : formatSeconds(rpoSeconds),
        stayed(name) === undefined ? 'restored' : `left as it was: ${stayed(name) ?? ''}`,
      ]),
    ),
    ...missing.map(({ name, why }) => row([name, '', '', '', '', '', `left as it was: ${why}`])),
  ];
}

function passedOverRows({ passedOver = [], parts, fallBacks }: WholePlan): string[] {
  const lost = parts.flatMap(({ name, moreLostSeconds }) =>
    moreLostSeconds === undefined ? [] : [`- ${plain(name)}: ${formatSeconds(moreLostSeconds)} more is lost for it`],
  );
  const { made, most } = fallBacks ?? { made: 0, most: 0 };
  if (passedOver.length === 0) return [];
  return [
    '',
    '### Passed over',
    '',
    ...(made === 0
      ? []
      : [`Older backups were taken ${made} of at most ${most} times, each by a plan of its own.`, '']),
    ...passedOverTexts(passedOver).map((text) => `- ${plain(text)}`),
    ...lost,
  ];
}

function rtoRows({ rto }: WholeResult): string[] {
  if (rto === undefined) return ['The system did not come back by this restore: no time is claimed.'];
  const { seconds, waitedSeconds, objectives } = rto;
  return [
    `Back after ${formatSeconds(seconds)}, ${formatSeconds(waitedSeconds)} of it waiting for people and other operations.`,
    '',
    ...(objectives.length === 0 ? ['The system file has no `objectives`.'] : []),
    ...objectives.map(
      ({ of, objectiveSeconds, met }) => `- ${of}, ${formatSeconds(objectiveSeconds)}: ${met ? 'met' : '**not met**'}`,
    ),
  ];
}

function checkRows({ checks }: WholeResult): string[] {
  return checks.map(({ name, ok, severity, detail }) => {
    const mark = ok ? 'x' : severity === 'fatal' ? '!' : '?';
    return `- [${mark}] **${plain(name)}**: ${plain(detail)}`;
  });
}

function reconcileRows({ reconcile }: WholeResult, differences: FoundDifferences): string[] {
  return reconcile.flatMap((one) => [
    `- **${plain(one.name)}** (${one.outcome}): ${plain(one.detail)}${one.kept === undefined ? '' : `, digest \`${one.kept.sha256.slice(0, 12)}\``}`,
    ...differenceLines(one, differences).map((line) => `  - ${plain(line)}`),
  ]);
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => plain(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

/** On one line, and none of it read as a mark. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[<`*_[\]]/g, (mark) => `\\${mark}`);
}
