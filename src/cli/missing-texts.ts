/** What is missing, and what became of it, as people read them. Names come from the host's own file, when this is it. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Colours } from '../observe/colours.ts';
import { formatBytes, formatCount, formatMilliseconds, formatSeconds } from '../observe/format.ts';
import { shortDigest } from '../policy/approval.ts';
import type { MissingCounts, MissingPlan, MissingResult } from '../workflows/contract.ts';
import type { ExitCode, Shell } from './shell.ts';

const MOST_NAMES = 20;

export function missingPlanText(plan: MissingPlan, colours: Colours): string {
  return plan.undoes === undefined ? putBackText(plan, colours) : undoText(plan, colours);
}

function putBackText(plan: MissingPlan, colours: Colours): string {
  const { missing, differ } = plan;
  const kept = plan.changed ? colours.red('REPLACED, the present ones kept aside') : 'stay as they are';
  return [
    `${colours.bold('Missing files to put back')} ${colours.cyan(shortDigest(plan.digest))}`,
    `  backup   ${plan.backup} in ${plan.store}`,
    `  point    ${plan.pointAt}, ${formatSeconds(plan.ageSeconds)} ago`,
    `  into     ${plan.place} on ${plan.host}`,
    ...(plan.paths.length === 0 ? [] : [`  paths    ${plan.paths.join(', ')}`]),
    '',
    `  ${colours.green('missing')}  ${countsText(missing)}`,
    `  differ   ${formatCount(differ.files, 'file')} (${formatBytes(differ.bytes)}) ${differ.files === 0 ? '' : kept}`.trimEnd(),
    `  same     ${formatCount(plan.same, 'file')}`,
    ...(plan.inTheWay === 0
      ? []
      : [`  ${colours.yellow('in the way')} ${plan.inTheWay} names are something of another kind now; they stay`]),
    ...namesText(plan, colours),
    ...plan.warnings.map((warning) => `  ${colours.yellow('warning')}  ${warning}`),
  ].join('\n');
}

function undoText(plan: MissingPlan, colours: Colours): string {
  return [
    `${colours.bold(`Run ${plan.undoes ?? ''} to take back`)} ${colours.cyan(shortDigest(plan.digest))}`,
    `  in       ${plan.place} on ${plan.host}`,
    `  ${colours.red('remove')}   ${countsText(plan.missing)}; directories only when they are empty`,
    `  return   ${formatCount(plan.differ.files, 'file')} to what they were`,
    `  stay     ${plan.changedSince ?? 0} that were changed since`,
    ...namesText(plan, colours),
  ].join('\n');
}

function countsText({ files, directories, links, bytes }: MissingCounts): string {
  const more = [
    ...(directories === 0 ? [] : [directories === 1 ? '1 directory' : `${directories} directories`]),
    ...(links === 0 ? [] : [formatCount(links, 'link')]),
  ];
  return [`${formatCount(files, 'file')} (${formatBytes(bytes)})`, ...more].join(', ');
}

interface ListedLine {
  readonly path: string;
  readonly what?: string;
  readonly kind: string;
  readonly bytes: number;
}

/** The first names; elsewhere than on the host only where the list lies. */
function namesText({ listFile, host, missing, differ }: MissingPlan, colours: Colours): string[] {
  const all = missing.files + missing.directories + missing.links + differ.files;
  const lines = all === 0 ? [] : firstLines(listFile);
  const names = lines.map(({ path, what = '', kind, bytes }) => {
    const size = kind === 'directory' ? '/' : `  ${formatBytes(bytes)}`;
    return `    ${colours.dim(what.padEnd(8))} ${path === '' ? '.' : path}${size}`;
  });
  const more = names.length > 0 && all > names.length ? [`    … and ${all - names.length} more`] : [];
  return [...(names.length === 0 ? [] : ['', ...names, ...more, '']), `  names    ${listFile} on ${host}`];
}

const READ_BYTES = 64 * 1024;

function firstLines(file: string): ListedLine[] {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    // It is another machine's, or another user's: where it lies is told in any case.
    return [];
  }
  try {
    const bytes = Buffer.alloc(READ_BYTES);
    const text = bytes.toString('utf8', 0, readSync(fd, bytes));
    const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    return whole
      .filter((line) => line !== '')
      .slice(0, MOST_NAMES)
      .map((line) => JSON.parse(line) as ListedLine);
  } finally {
    closeSync(fd);
  }
}

/** 1 when a person or the situation said no; a preview that finds nothing to do is an answer like any other. */
export function showMissingResult(shell: Shell, system: string, result: MissingResult): ExitCode {
  const refused = result.outcome === 'rejected' || result.outcome === 'expired';
  const good = !refused && result.failed === 0;
  shell.result(result, (colours) => {
    if (result.outcome === 'planned') return missingPlanText(result.plan, colours);
    const { plan, done, replaced } = result;
    const word = good ? colours.green(result.outcome) : colours.red(result.outcome);
    if (refused || result.outcome === 'nothing') return `${word} ${result.why ?? ''}`;
    const undone = result.outcome === 'undone';
    const verb = undone ? 'removed' : 'put back';
    const others = undone ? `${replaced} returned to what they were` : `${replaced} replaced`;
    const lines = [`${word} ${countsText(done)} ${verb}, ${others}, in ${plan.place}`];
    if (result.left > 0)
      lines.push(`  ${colours.yellow('left')}      ${result.left} that are not as they were at the preview`);
    if (result.failed > 0) lines.push(`  ${colours.red('failed')}    ${result.failed}: ${result.firstFailure ?? ''}`);
    if (result.durationMs !== undefined) lines.push(`  took      ${formatMilliseconds(result.durationMs)}`);
    if (result.aside !== undefined) lines.push(`  aside     ${result.aside} on ${plan.host}`);
    if (result.doneFile !== undefined) lines.push(`  names     ${result.doneFile} on ${plan.host}`);
    if (!undone) lines.push(`  undo      holdfast missing ${system} ${plan.component} --undo ${result.run}`);
    return lines.join('\n');
  });
  return good ? 0 : 1;
}
