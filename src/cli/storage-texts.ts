/** `storage` as people read it. */
import type { Colours } from '../observe/colours.ts';
import { formatBytes, formatCount } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import { formatMoney } from '../policy/prices.ts';
import type { StorageReport, StoreUsage } from './storage-report.ts';

const MONTHS_SHOWN = 12;

export function storageText(report: StorageReport, colours: Colours): string {
  return report.stores.map((usage) => storeText(usage, report.currency, colours)).join('\n\n');
}

function storeText(usage: StoreUsage, currency: string | undefined, colours: Colours): string {
  const money = (cost: number | undefined): string =>
    currency === undefined || cost === undefined ? '' : formatMoney(cost, currency);
  const rows = usage.rows.map((row) => [
    row.of,
    row.class ?? '',
    String(row.objects),
    formatBytes(row.bytes),
    money(row.costPerMonth),
  ]);
  rows.push(['in all', '', String(usage.objects), formatBytes(usage.bytes), money(usage.costPerMonth)]);
  const head = ['what', 'class', 'objects', 'stored', currency === undefined ? '' : 'a month'];
  return [
    `${colours.bold(usage.store)}  ${formatCount(usage.backups, 'backup')} of ${formatBytes(usage.plainBytes)}`,
    table(head, rows, colours),
    ...ratioLines(usage),
    ...(usage.prunableBytes === 0
      ? []
      : [`  named by no backup: ${formatBytes(usage.prunableBytes)}; a prune frees what is old enough`]),
    ...(usage.nextPrune === undefined ? [] : [pruneLine(usage.nextPrune)]),
    ...(usage.unread === 0 ? [] : [colours.yellow(`  ${usage.unread} could not be read; see \`verify --whole\``)]),
    ...growthLines(usage, colours),
  ].join('\n');
}

function pruneLine({ backups, objects, bytes }: NonNullable<StoreUsage['nextPrune']>): string {
  if (backups === 0 && objects === 0) return '  the next prune has nothing to remove';
  const freed = `${formatCount(objects, 'object')}, ${formatBytes(bytes)}`;
  return `  the next prune removes ${formatCount(backups, 'backup')} and frees ${freed}`;
}

function ratioLines({ ratio, dedupRatio, compressionRatio, storedBytes, uniquePlainBytes }: StoreUsage): string[] {
  if (ratio === undefined) return [];
  const times = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} : 1`;
  const parts =
    dedupRatio === undefined || compressionRatio === undefined
      ? ''
      : ` (${times(dedupRatio)} by storing what is equal once, ${formatBytes(uniquePlainBytes ?? 0)}; ${times(compressionRatio)} by compression)`;
  return [`  backups to what is stored for them, ${formatBytes(storedBytes)}: ${times(ratio)}${parts}`];
}

function growthLines({ growth }: StoreUsage, colours: Colours): string[] {
  if (growth.length === 0) return [];
  const rows = growth
    .slice(-MONTHS_SHOWN)
    .map(({ month, backups, plainBytes, storedBytes }) => [
      month,
      String(backups),
      formatBytes(plainBytes),
      formatBytes(storedBytes),
    ]);
  return ['', table(['month', 'backups', 'data in them', 'newly stored'], rows, colours)];
}
