import type { Command } from 'commander';
import type { Hold } from '../vault/sweep/holds.ts';
import type { ToldError } from '../observe/told.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly why?: string;
}

const ACTIONS = ['add', 'list', 'release'] as const;
const NOTHING = 'nothing is held';

export function defineHold(program: Command): void {
  addCommand(program, 'hold <action> <system> [backup]', {
    summary: 'keep a backup whatever its plan says: add, list, release',
    description:
      'A hold is a signed record beside the backup, in every store that has it; `prune` keeps what is held. `release` ends\n' +
      "every hold of the backup that this key may end, by another record: the history of holds stays. A store that can't\n" +
      'be reached is told, and gets it with the next copy. Needs no engine.',
    examples: [
      'hold add m2m-connector 82eed6cab96c --why "before the deployment of 2.4"',
      'hold list m2m-connector --json',
      'hold release m2m-connector 82eed6cab96c --why "2.4 runs"',
    ],
  })
    .option('--why <text>', 'the reason, kept with the record')
    .action((action: string, system: string, backup: string | undefined, options: Options) =>
      perform(options, (shell) => hold(shell, { action, system, backup, why: options.why })),
    );
}

interface Asked {
  readonly action: string;
  readonly system: string;
  readonly backup: string | undefined;
  readonly why: string | undefined;
}

async function hold(shell: Shell, asked: Asked): Promise<ExitCode> {
  const [{ HoldfastError }, { loadSystem }, { withVault }, { holdThere }, { tell }] = await Promise.all([
    import('../failures.ts'),
    import('../system/load.ts'),
    import('../vault/maintained.ts'),
    import('./hold-there.ts'),
    import('../observe/told.ts'),
  ]);
  const { action, backup, why } = asked;
  if (!ACTIONS.includes(action as (typeof ACTIONS)[number])) {
    throw new HoldfastError('BadInput', `hold ${action} is none of ${ACTIONS.join(', ')}`);
  }
  if (action !== 'list' && ((backup ?? '').trim() === '' || (why ?? '').trim() === '')) {
    throw new HoldfastError('BadInput', `hold ${action} needs the id of a backup and --why`);
  }
  const system = await loadSystem(asked.system);
  const stores: { store: string; holds: readonly Hold[]; found?: string }[] = [];
  const unread: { store: string; error: ToldError }[] = [];
  // Of one time, so that it is one record under one name wherever it lies, and its release ends it everywhere.
  const atMs = Date.now();
  for (const config of system.stores) {
    try {
      const there = await withVault(system, config, (from) => holdThere(from, system, { ...asked, atMs }));
      stores.push({ store: config.name, ...there });
    } catch (error) {
      if (system.stores.length === 1) throw error;
      unread.push({ store: config.name, error: tell(error) });
    }
  }
  if (action !== 'list' && unread.length === 0 && !stores.some(({ found }) => found !== undefined)) {
    throw new HoldfastError('BackupMissing', `no store of ${system.name} holds the backup ${backup ?? ''}`);
  }
  shell.result({ system: system.name, stores, unread }, (colours) =>
    stores
      .flatMap(({ store, holds, found }) => [
        colours.bold(store),
        ...holds.map((one) => `  ${one.backupId} ${one.at ?? ''} ${one.by ?? ''}: ${one.why}${doubt(one)}`),
        ...(holds.length === 0
          ? [`  ${action === 'list' || found !== undefined ? NOTHING : 'has no such backup'}`]
          : []),
      ])
      .join('\n'),
  );
  if (action !== 'list' && stores.some(({ found }) => found !== undefined)) {
    const { tellAudit } = await import('./audited.ts');
    const outcome = action === 'add' ? 'held' : 'released';
    await tellAudit(shell, system, { operation: 'hold', outcome, about: `backup ${backup ?? ''}`, why: why ?? '' });
  }
  for (const { store, error } of unread) {
    shell.say(
      `the store ${store} could not be read${action === 'list' ? '' : `; the next copy brings it there`}: ${error.message}`,
    );
  }
  if (unread.length > 0) return 2;
  // A hold that this key may not end still stands.
  return action === 'release' && stores.some(({ holds }) => holds.length > 0) ? 1 : 0;
}

function doubt({ doubt: why }: Hold): string {
  return why === undefined ? '' : ` (${why})`;
}
