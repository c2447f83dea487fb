/** A preview of rows and what became of it, as people read them. */
import type { Colours } from '../observe/colours.ts';
import { formatCount, formatMilliseconds, formatSeconds } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { shortDigest } from '../policy/approval.ts';
import { changesAnything } from '../policy/rows-changes.ts';
import type { RowsPlan, RowsResult, RowsTable } from '../workflows/contract.ts';
import type { ExitCode, Shell } from './shell.ts';

export function rowsPlanText(plan: RowsPlan, colours: Colours): string {
  const where = plan.where === undefined ? 'all rows' : plan.where;
  const lines = [
    `${colours.bold('Rows to put back')} ${colours.cyan(shortDigest(plan.digest))}`,
    `  backup   ${plan.backup} in ${plan.store}`,
    `  point    ${plan.pointAt}, ${formatSeconds(plan.ageSeconds)} ago`,
    ...(plan.recoverTo === undefined ? [] : [`  recover  ${plan.recoverTo}`]),
    `  where    ${where}`,
    ...(plan.valid === undefined ? [] : [`  valid    ${plan.valid}`]),
    '',
    ...mergedText(plan, colours),
    ...tableOfTables(plan, colours)
      .split('\n')
      .map((line) => `  ${line}`),
    '',
    ...plan.tables.flatMap((one) => details(one, colours)),
    `  inspect  ${plan.copy} on ${plan.host}`,
    `  keys     ${plan.keysFile} on ${plan.host}`,
    ...plan.warnings.map((warning) => `  ${colours.yellow('warning')}  ${warning}`),
  ];
  return lines.join('\n');
}

/** What each of several backups gave. */
function mergedText({ merged }: RowsPlan, colours: Colours): string[] {
  if (merged === undefined) return [];
  const rows = merged.map((one) => [
    one.backup,
    one.pointAt,
    one.table,
    String(one.taken),
    one.invalid === 0 ? '0' : colours.red(String(one.invalid)),
    one.differs === 0 ? '0' : colours.yellow(`${one.differs}, the newer one counts`),
  ]);
  const lines = table(['backup', 'of', 'table', 'gives', 'not valid', 'otherwise'], rows, colours).split('\n');
  return [...lines.map((line) => `  ${line}`), ''];
}

function tableOfTables({ tables, onChanged }: RowsPlan, colours: Colours): string {
  const rows = tables.map((one) => [
    one.table,
    one.matchedBy === 'whole row' ? 'whole row' : one.key.join(', '),
    String(one.selected),
    one.missing > 0 ? colours.green(String(one.missing)) : '0',
    one.changed === 0 ? '0' : onChanged === 'restore' ? colours.red(`${one.changed} REPLACE`) : `${one.changed} kept`,
    conflictsOf(one) === 0 ? '0' : colours.yellow(`${conflictsOf(one)} left out`),
    String(one.same),
  ]);
  return table(['table', 'key', 'in backup', 'add', 'differ', 'in conflict', 'same'], rows, colours);
}

function conflictsOf({ conflicts }: RowsTable): number {
  return conflicts.reduce((sum, { rows }) => sum + rows, 0);
}

function details(one: RowsTable, colours: Colours): string[] {
  const columns = one.changedColumns.map(({ column, rows }) => `${column} (${rows})`).join(', ');
  return [
    ...(columns === '' ? [] : [`  ${one.table}: these columns differ: ${columns}`]),
    ...one.conflicts.map(
      ({ kind, constraint, rows, why }) =>
        `  ${colours.yellow('conflict')} ${one.table}: ${formatCount(rows, 'row')}, ${kind} ${constraint}: ${why}`,
    ),
    ...one.notes.map((note) => `  ${colours.dim('note')} ${one.table}: ${note}`),
  ];
}

/** 1 when a person or the situation said no; a preview that finds nothing to do is an answer like any other. */
export function showRowsResult(shell: Shell, result: RowsResult): ExitCode {
  const good = result.outcome === 'restored' || result.outcome === 'planned' || result.outcome === 'nothing';
  const failed = result.checks.filter(({ ok }) => !ok);
  shell.result(result, (colours) => {
    if (result.outcome === 'planned') {
      const nothing = changesAnything(result.plan) ? [] : ['  nothing would be written'];
      return [rowsPlanText(result.plan, colours), ...nothing].join('\n');
    }
    const word = good && failed.length === 0 ? colours.green(result.outcome) : colours.red(result.outcome);
    const { plan, added, replaced } = result;
    const lines = [
      `${word} ${formatCount(added, 'row')} added, ${replaced} replaced, from backup ${colours.bold(plan.backup)} of ${plan.pointAt}`,
    ];
    if (result.why !== undefined) lines.push(`  ${result.why}`);
    for (const { name, ok, detail } of result.checks) {
      lines.push(`  ${ok ? colours.green('✓') : colours.red('✗')} ${name} (${detail})`);
    }
    if (result.durationMs !== undefined) lines.push(`  took      ${formatMilliseconds(result.durationMs)}`);
    if (result.replacedFile !== undefined) lines.push(`  replaced  ${result.replacedFile} on ${plan.host}`);
    if (result.copy !== undefined) lines.push(`  inspect   ${result.copy} on ${plan.host}`);
    for (const warning of result.warnings ?? []) lines.push(`  ${colours.yellow('warning')}   ${warning}`);
    return lines.join('\n');
  });
  return good && failed.length === 0 ? 0 : 1;
}
