/** A whole system's restore as people read it: where each part comes from, what is lost, what was found afterwards. */
import type { Colours } from '../observe/colours.ts';
import { differenceLines, type FoundDifferences } from '../observe/difference-lines.ts';
import { formatCount, formatMilliseconds, formatSeconds } from '../observe/format.ts';
import { frozenText } from '../observe/plan-words.ts';
import { table } from '../observe/table.ts';
import type { WholePart, WholePlan, WholeResult } from '../workflows/contract.ts';

export function wholeHead(whole: WholePlan, colours: Colours): string[] {
  const backups = new Set(whole.parts.map(({ manifestKey }) => manifestKey)).size;
  const moment = whole.before === undefined ? 'as new as it can be' : `before ${whole.before}`;
  return [
    `  whole    ${formatCount(whole.parts.length, 'component')} from ${formatCount(backups, 'backup')}, ${moment}; their points lie ${formatSeconds(whole.spreadSeconds)} apart`,
    ...whole.frozen.map(({ backup, facts }) => `  ${colours.yellow('frozen')}   ${backup}: ${frozenText(facts)}`),
    ...whole.missing.map(({ name, why, needed }) =>
      needed
        ? `  ${colours.red('missing')}  ${name}: ${why}; without it nothing is restored`
        : `  ${colours.yellow('missing')}  ${name}: ${why}; it is left as it is`,
    ),
    ...fallBackLines(whole, colours),
  ];
}

/** What it costs that newer backups are bad, and what happens when one of these turns out bad, too. */
function fallBackLines({ parts, fallBacks }: WholePlan, colours: Colours): string[] {
  const lost = parts.flatMap(({ name, moreLostSeconds }) =>
    moreLostSeconds === undefined ? [] : [`${name} ${formatSeconds(moreLostSeconds)}`],
  );
  const { made, most } = fallBacks ?? { made: 0, most: 0 };
  const left = Math.max(0, most - made);
  const again = made === 0 ? '' : `, after ${formatCount(made, 'time')}`;
  return [
    ...(lost.length === 0
      ? []
      : [`  ${colours.red('more')}     is lost because newer backups are passed over: ${lost.join(', ')}`]),
    ...(fallBacks === undefined
      ? []
      : [
          `  if bad   before anything is stopped, an older backup is planned and has to be approved: up to ${formatCount(left, 'time')}${again}`,
        ]),
  ];
}

export function partTable({ parts }: WholePlan, colours: Colours): string {
  const rows = parts.map((part) => [
    part.needed ? part.name : `${part.name} (may fail)`,
    part.recoverTo === undefined ? part.backup : `${part.backup} + log`,
    part.store,
    part.pointAt ?? 'found out by the server',
    lossText(part, colours),
    part.problems.length === 0 ? 'nothing seen' : colours.yellow(part.problems.join('; ')),
  ]);
  return table(['component', 'backup', 'store', 'recovery point', 'is lost', 'wrong at present'], rows, colours);
}

function lossText({ lostSeconds, rpoSeconds }: WholePart, colours: Colours): string {
  if (lostSeconds === undefined) return 'not known';
  const lost = formatSeconds(lostSeconds);
  if (rpoSeconds === undefined) return lost;
  const promised = `${lost} of ${formatSeconds(rpoSeconds)} promised`;
  return lostSeconds > rpoSeconds ? colours.red(promised) : promised;
}

export function wholeResultLines(whole: WholeResult, differences: FoundDifferences, colours: Colours): string[] {
  const lines: string[] = [];
  for (const { name, ok, severity, detail } of whole.checks) {
    const mark = ok ? colours.green('✓') : severity === 'fatal' ? colours.red('✗') : colours.yellow('!');
    lines.push(`  ${mark} ${name}: ${detail}`);
  }
  for (const one of whole.reconcile) {
    lines.push(`  ${one.outcome === 'same' ? colours.green('=') : colours.yellow('≠')} ${one.name}: ${one.detail}`);
    lines.push(...differenceLines(one, differences).map((line) => `      ${line}`));
  }
  if (whole.rto !== undefined) lines.push(...rtoLines(whole.rto, colours));
  const slow = whole.phases.filter(({ ms }) => ms >= 1000);
  if (slow.length > 0) {
    lines.push(`  phases         ${slow.map(({ name, ms }) => `${name} ${formatMilliseconds(ms)}`).join(', ')}`);
  }
  return lines;
}

function rtoLines(rto: NonNullable<WholeResult['rto']>, colours: Colours): string[] {
  const waited = rto.waitedSeconds === 0 ? '' : `, ${formatSeconds(rto.waitedSeconds)} of it waiting`;
  const judged = rto.objectives.map(({ of, objectiveSeconds, met }) => {
    const words = `${of} ${formatSeconds(objectiveSeconds)}: ${met ? 'met' : 'not met'}`;
    return met ? colours.green(words) : colours.red(words);
  });
  const against = judged.length === 0 ? '' : ` (${judged.join(', ')})`;
  return [`  back after     ${formatSeconds(rto.seconds)}${waited}${against}`];
}
