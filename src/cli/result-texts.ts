/** Results of operations as people read them, and the exit code each one means. */
import { formatBytes, formatCount, formatMilliseconds } from '../observe/format.ts';
import type { BackupResult, CopyResult, RestoreResult, VerifyResult } from '../workflows/contract.ts';
import type { ExitCode, Shell } from './shell.ts';
import { wholeResultLines } from './whole-texts.ts';

export function showBackupResult(shell: Shell, result: BackupResult): ExitCode {
  shell.result(result, (colours) => {
    if (result.outcome === 'skipped') return `${colours.yellow('skipped')} ${result.why ?? ''}`;
    const { readBytes = 0, storedBytes = 0, chunksNew = 0, chunksReused = 0, downtimeMs, verified } = result;
    const read = `read ${formatBytes(readBytes)}, stored ${formatBytes(storedBytes)}`;
    const chunks = `${formatCount(chunksNew, 'new chunk')}, ${chunksReused.toLocaleString('en')} reused`;
    const lines = [
      `${colours.green('done')} backup ${colours.bold(result.backup ?? '')}`,
      `  point     ${result.pointAt ?? ''}`,
      ...(result.store === undefined ? [] : [`  store     ${result.store}; the others get copies`]),
      `  data      ${read} (${chunks})`,
    ];
    if (downtimeMs !== undefined && downtimeMs > 0) lines.push(`  downtime  ${formatMilliseconds(downtimeMs)}`);
    if (verified !== undefined) {
      const verdict = verified.ok ? colours.green('good') : colours.red('BAD');
      lines.push(`  verified  ${verified.level}: ${verdict}`);
    }
    for (const warning of result.warnings ?? []) lines.push(`  ${colours.yellow('warning')}   ${warning}`);
    return lines.join('\n');
  });
  return result.outcome === 'done' && result.verified?.ok !== false ? 0 : 1;
}

export function showCopyResult(shell: Shell, result: CopyResult): ExitCode {
  const { target, backups, objects, bytes, replaced, walPieces, walBytes, refused, refusedCount } = result;
  const bad = result.verified.filter(({ ok }) => !ok);
  shell.result(result, (colours) => {
    const lines = [
      `${refusedCount + bad.length === 0 ? colours.green('done') : colours.red('not all')} copies to ${colours.bold(target)}`,
      backups === 0
        ? '  backups   none was missing'
        : `  backups   ${formatCount(backups, 'backup')}: ${formatCount(objects, 'object')}, ${formatBytes(bytes)}`,
    ];
    if (walPieces > 0) lines.push(`  log       ${formatCount(walPieces, 'piece')}, ${formatBytes(walBytes)}`);
    if (replaced > 0) lines.push(`  healed    ${formatCount(replaced, 'object')} that had been damaged there`);
    for (const { backup, ok } of result.verified) {
      lines.push(`  verified  ${backup}, presence: ${ok ? colours.green('good') : colours.red('BAD')}`);
    }
    for (const { store, why } of result.silent) lines.push(`  ${colours.yellow('silent')}    ${store}: ${why}`);
    for (const { what, why } of refused) lines.push(`  ${colours.red('refused')}   ${what}: ${why}`);
    if (refusedCount > refused.length) lines.push(`  and ${refusedCount - refused.length} more refused`);
    return lines.join('\n');
  });
  return refusedCount + bad.length === 0 ? 0 : 1;
}

export function showVerifyResult(shell: Shell, result: VerifyResult): ExitCode {
  shell.result(result, (colours) => {
    const verdict = result.ok ? colours.green('good') : colours.red('BAD');
    const objects = formatCount(result.objectsChecked, 'object');
    const lines = [
      `${verdict} backup ${colours.bold(result.backup)}`,
      `  ${result.level}: ${objects}, ${formatBytes(result.bytesChecked)} checked`,
      ...result.bad.map(({ key, code, what }) => `  ${colours.red(code)} ${key}: ${what}`),
    ];
    if (result.moreBad > 0) lines.push(`  and ${result.moreBad.toLocaleString('en')} more`);
    return lines.join('\n');
  });
  return result.ok ? 0 : 1;
}

/** Of a whole system the verdicts are told one by one. */
function isShownAbove(warning: string, { whole }: RestoreResult): boolean {
  return whole !== undefined && /^(check|reconcile) /.test(warning);
}

/** Differences that a reconciliation found are shown where they are kept on this machine; JSON says where that is. */
export async function showRestoreResult(shell: Shell, result: RestoreResult): Promise<ExitCode> {
  const { readAllDifferences } = await import('../status/differences.ts');
  const differences = await readAllDifferences(result.whole?.reconcile ?? []);
  const good = result.outcome === 'restored' || result.outcome === 'verified' || result.outcome === 'planned';
  const failed = [
    ...result.checks.filter((check) => !check.ok),
    ...(result.whole?.checks ?? []).filter(({ ok, severity }) => !ok && severity === 'fatal'),
    ...(result.whole?.reconcile ?? []).filter(({ outcome }) => outcome !== 'same'),
  ];
  shell.result(result, (colours) => {
    const word = good && failed.length === 0 ? colours.green(result.outcome) : colours.red(result.outcome);
    const { whole, backup, pointAt } = result.plan;
    const from =
      whole === undefined
        ? `backup ${colours.bold(backup)} of ${pointAt}`
        : `${formatCount(new Set(whole.parts.map((part) => part.backup)).size, 'backup')}, the oldest point ${pointAt}`;
    const lines = [`${word} from ${from}`];
    if (result.why !== undefined) lines.push(`  ${result.why}`);
    for (const { component, name, ok, detail } of result.checks) {
      lines.push(
        `  ${ok ? colours.green('✓') : colours.red('✗')} ${component}: ${name}${detail === '' ? '' : ` (${detail})`}`,
      );
    }
    if (result.whole !== undefined) lines.push(...wholeResultLines(result.whole, differences, colours));
    if (result.downtimeMs !== undefined) lines.push(`  downtime       ${formatMilliseconds(result.downtimeMs)}`);
    if (result.durationMs !== undefined) lines.push(`  took           ${formatMilliseconds(result.durationMs)}`);
    if (result.safetyBackup !== undefined) lines.push(`  safety backup  ${result.safetyBackup}`);
    for (const aside of result.aside) lines.push(`  kept aside     ${aside}`);
    const told = (result.warnings ?? []).filter((warning) => !isShownAbove(warning, result));
    for (const warning of told) lines.push(`  ${colours.yellow('warning')}        ${warning}`);
    return lines.join('\n');
  });
  return good && failed.length === 0 ? 0 : 1;
}
