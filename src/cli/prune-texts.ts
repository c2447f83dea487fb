/** A prune in words: every keep and every delete with its reasons, and what came of it. */
import type { Colours } from '../observe/colours.ts';
import { formatBytes, formatCount } from '../observe/format.ts';
import { table } from '../observe/table.ts';
import type { PrunePlan } from '../vault/sweep/prune-plan.ts';
import type { PruneSummary } from '../activities/types.ts';
import type { PruneResult } from '../workflows/contract.ts';
import { approvalText } from './plan-text.ts';
import type { ExitCode, Shell } from './shell.ts';

const MOST_SHOWN = 20;

interface PlanOfStore {
  readonly store: string;
  readonly plan: PrunePlan;
}

export function planText({ store, plan }: PlanOfStore, colours: Colours): string {
  const { decisions, removes, frees, anomalies, blocked, asks, leftovers } = plan;
  const rows = decisions.map(({ plan: name, backup, startedAt, keep, reasons }) => [
    name,
    backup,
    startedAt,
    keep ? colours.green('keep') : colours.red('delete'),
    reasons.join('; '),
  ]);
  return [
    colours.bold(store),
    rows.length === 0 ? 'no backups' : table(['plan', 'backup', 'started', '', 'why'], rows, colours),
    `would delete ${formatCount(removes.length, 'backup')} of ${decisions.length}, and ${formatCount(frees.objects, 'object')}: ${formatBytes(frees.bytes)}`,
    ...leftovers.map(({ key, keep, why }) => `${keep ? colours.green('keep') : colours.red('delete')} ${key}: ${why}`),
    ...grouped(anomalies).map((what) => `${colours.yellow('look at')} ${what}`),
    ...blocked.map((what) => `${colours.red('no object can be deleted')} ${what}`),
    ...asks.map((what) => `${colours.yellow('would ask first')} ${what}`),
  ].join('\n');
}

/** Each reason once, with the manifests it is of: `<key>: <why>` in, so that a crowd does not fill the screen. */
function grouped(anomalies: readonly string[]): string[] {
  const split = (text: string): readonly [string, string] => {
    const at = text.indexOf(': ');
    return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 2)];
  };
  const byWhy = Map.groupBy(anomalies.map(split), ([, why]) => why);
  return [...byWhy].map(([why, entries]) => {
    const keys = entries.map(([key]) => key);
    const more = keys.length > 2 ? ` and ${keys.length - 2} more` : '';
    return `${keys.slice(0, 2).join(', ')}${more}${why === '' ? '' : `: ${why}`}`;
  });
}

export function planFacts({ store, plan }: PlanOfStore) {
  const { decisions, frees, anomalies, blocked, asks, leftovers } = plan;
  return { store, decisions, frees, anomalies, blocked, asks, leftovers };
}

/** What a run that waits for a person would remove. */
export function summaryText(store: string, plan: PruneSummary, colours: Colours): string {
  const shown = plan.removes.slice(0, MOST_SHOWN);
  const rows = shown.map(({ plan: name, backup, startedAt, why }) => [name, backup, startedAt, why]);
  const more = plan.removesCount - shown.length;
  return [
    `${colours.bold(store)}: ${plan.asks.join('; ')}`,
    table(['plan', 'backup', 'started', 'why it goes'], rows, colours),
    ...(more > 0 ? [`and ${formatCount(more, 'more backup')}`] : []),
    `deletes ${formatCount(plan.removesCount, 'backup')}, and ${formatCount(plan.freesObjects, 'object')}: ${formatBytes(plan.freesBytes)}; keeps ${plan.keeps.toLocaleString('en')}`,
  ].join('\n');
}

/** Names the operation, because prunes of two stores may have the same digest. */
export function pruneApprovalText(system: string, plan: PruneSummary, workflowId: string): string {
  return approvalText(system, plan)
    .split('\n')
    .map((line) => `${line} --operation ${workflowId}`)
    .join('\n');
}

/** A person's no, or nobody's answer, is a no. */
export function showPruneResults(
  shell: Shell,
  results: readonly (PruneResult & { readonly store: string })[],
): ExitCode {
  shell.result({ stores: results }, (colours) => results.map((one) => pruneText(one, colours)).join('\n'));
  return results.every(({ outcome }) => outcome !== 'rejected' && outcome !== 'expired') ? 0 : 1;
}

export function pruneText(result: PruneResult & { readonly store: string }, colours: Colours): string {
  const { store, outcome, plan, why } = result;
  const lines = [`${colours.bold(store)} ${WORDS[outcome]}${why === undefined ? '' : `: ${why}`}`];
  if (result.removedBackups !== undefined) {
    lines.push(`  removed   ${formatCount(result.removedBackups, 'backup')}, ${plan.keeps} stay`);
  }
  if (result.deletedObjects !== undefined) {
    lines.push(`  deleted   ${formatCount(result.deletedObjects, 'object')}, ${formatBytes(result.deletedBytes ?? 0)}`);
  }
  if ((result.walObjects ?? 0) > 0) {
    lines.push(`  log       ${formatCount(result.walObjects ?? 0, 'piece')}, ${formatBytes(result.walBytes ?? 0)}`);
  }
  if ((result.leftovers ?? 0) > 0) {
    lines.push(
      `  cleaned   ${formatCount(result.leftovers ?? 0, 'old key or bad object', 'old keys and bad objects')}`,
    );
  }
  const locked = (result.lockedBackups ?? 0) + (result.lockedObjects ?? 0);
  if (locked > 0) lines.push(`  locked    ${locked}: tried again by a later prune`);
  if ((result.settled ?? 0) > 0) lines.push(`  settled   ${result.settled ?? 0} captures that had died`);
  if (result.locks !== undefined) lines.push(`  locks     ${locksText(result.locks)}`);
  for (const what of grouped(plan.anomalies)) lines.push(`  ${colours.yellow('look at')}   ${what}`);
  for (const what of plan.blocked) lines.push(`  ${colours.red('blocked')}   ${what}`);
  return lines.join('\n');
}

function locksText({ kept, extended, until }: NonNullable<PruneResult['locks']>): string {
  const all = formatCount(kept, 'object');
  return extended === 0 ? `of ${all} last long enough` : `${extended} of ${all} made longer, until ${until}`;
}

const WORDS: Record<PruneResult['outcome'], string> = {
  planned: 'was only looked at',
  nothing: 'has nothing to remove',
  swept: 'is pruned',
  'gave-way': 'gave way; the next prune deletes what only the removed backups needed',
  rejected: 'was left as it is',
  expired: 'was left as it is: nobody answered in time',
};
