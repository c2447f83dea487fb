import type { Command } from 'commander';
import type { Hold } from '../vault/sweep/holds.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly why?: string;
}

const ACTIONS = ['add', 'list', 'release'] as const;

export function defineHold(program: Command): void {
  addCommand(program, 'hold <action> <system> [backup]', {
    summary: 'keep a backup whatever its plan says: add, list, release',
    description:
      'A hold is a signed record beside the backup, in every store that has it; `prune` keeps what is held. `release` ends\n' +
      'every hold of the backup that this key may end, by another record: the history of holds stays. Needs no engine.',
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
  const [{ HoldfastError }, { loadSystem }, { withVault }, { holdThere }] = await Promise.all([
    import('../failures.ts'),
    import('../system/load.ts'),
    import('./vaults.ts'),
    import('./hold-there.ts'),
  ]);
  const { action, backup, why } = asked;
  if (!ACTIONS.includes(action as (typeof ACTIONS)[number])) {
    throw new HoldfastError('BadInput', `hold ${action} is none of ${ACTIONS.join(', ')}`);
  }
  if (action !== 'list' && (backup === undefined || why === undefined || why.trim() === '')) {
    throw new HoldfastError('BadInput', `hold ${action} needs a backup's id and --why`);
  }
  const system = await loadSystem(asked.system);
  const stores: { store: string; holds: readonly Hold[]; found: boolean }[] = [];
  for (const config of system.stores) {
    const there = await withVault(system, config, (from) => holdThere(from, system, asked));
    stores.push({ store: config.name, ...there });
  }
  if (action !== 'list' && !stores.some(({ found }) => found)) {
    throw new HoldfastError('BackupMissing', `no store of ${system.name} holds the backup ${backup ?? ''}`);
  }
  shell.result({ system: system.name, stores }, (colours) =>
    stores
      .flatMap(({ store, holds }) => [
        colours.bold(store),
        ...holds.map((one) => `  ${one.backupId} ${one.at ?? ''} ${one.by ?? ''}: ${one.why}${doubt(one)}`),
        ...(holds.length === 0 ? ['  nothing is held'] : []),
      ])
      .join('\n'),
  );
  return 0;
}

function doubt({ doubt: why }: Hold): string {
  return why === undefined ? '' : ` (${why})`;
}
