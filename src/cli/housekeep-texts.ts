/** What housekeeping did, as people read it. */
import { HoldfastError } from '../failures.ts';
import type { Colours } from '../observe/colours.ts';
import { formatBytes, formatCount } from '../observe/format.ts';
import { KEPT_REASONS, type KeptReason } from '../policy/housekeeping.ts';
import { taskOf } from '../status/of-system.ts';
import type { System } from '../system/types.ts';
import type { HousekeepingResult } from '../workflows/contract.ts';
import type { ExitCode, Shell } from './shell.ts';

const WORDS: Readonly<Record<KeptReason, string>> = {
  young: 'not old enough',
  newest: 'among the newest that stay',
  special: 'with other names, or no plain files',
  'not-stored': 'in no backup that was read',
  differs: 'unlike their backup',
  'in-use': 'in use',
  changed: 'changed meanwhile',
};

/** Throws BadInput for a task that the system does not have, and for a system without any. */
export function tasksOf(system: System, only: string | undefined): string[] {
  if (only !== undefined) return [taskOf(system, only).name];
  if (system.housekeeping.length > 0) return system.housekeeping.map(({ name }) => name);
  throw new HoldfastError('BadInput', `${system.name} has no housekeeping tasks`, {
    hint: 'Declare them in the section `housekeeping` of the system file.',
  });
}

export function showHousekeeping(shell: Shell, tasks: readonly HousekeepingResult[]): ExitCode {
  shell.result({ tasks }, (colours) => tasks.map((one) => housekeepingText(one, colours)).join('\n'));
  return tasks.every(({ failed }) => failed === 0) ? 0 : 1;
}

function housekeepingText(result: HousekeepingResult, colours: Colours): string {
  const { task, component, dryRun, units, removed, removedBytes, stores, failed, firstFailure, list } = result;
  const did = dryRun ? 'would remove' : 'removed';
  const files = `${counted(removed, units)} of ${component}, ${formatBytes(removedBytes)}`;
  const kept = KEPT_REASONS.filter((reason) => result.kept[reason] > 0).map((reason) =>
    formatCount(result.kept[reason], WORDS[reason], WORDS[reason]),
  );
  return [
    `${colours.bold(task)}: ${did} ${files}`,
    ...(kept.length === 0 ? [] : [`  stay: ${kept.join(', ')}`]),
    ...stores.map(({ store, backup }) => `  read back: ${backup} from ${store}`),
    ...(failed === 0 ? [] : [`  ${colours.red(`${counted(failed, units)} failed`)}: ${firstFailure ?? ''}`]),
    ...(stores.length === 0 ? [] : [`  list: ${list}`]),
  ].join('\n');
}

function counted(number: number, units: HousekeepingResult['units']): string {
  return units === 'files' ? formatCount(number, 'file') : formatCount(number, 'entry', 'entries');
}
