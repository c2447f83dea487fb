import type { Command } from 'commander';
import { HoldfastError } from '../failures.ts';
import type { KnownBackup } from '../status/catalogues.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly plan?: string;
  readonly store?: string;
  readonly limit?: string;
}

export function defineList(program: Command): void {
  addCommand(program, 'list <system>', {
    summary: 'the backups of a system, from its stores',
    description:
      'Reads the stores; neither engine nor identity is needed. Shows for each backup when it is from, what is in it,\n' +
      'which stores hold it, and whether it was verified and how. Newest first.',
    examples: ['list m2m-connector', 'list m2m-connector --plan hourly --limit 5 --json'],
  })
    .option('--plan <name>', 'only backups of this plan')
    .option('--store <name>', 'only what is in this store')
    .option('--limit <number>', 'at most so many')
    .action((system: string, options: Options) => perform(options, (shell) => list(shell, system, options)));
}

async function list(shell: Shell, name: string, options: Options): Promise<ExitCode> {
  const [{ loadSystem }, { readCatalogues }, { backupFacts, backupTable }, reach, { planOf }] = await Promise.all([
    import('../system/load.ts'),
    import('../status/catalogues.ts'),
    import('./backup-texts.ts'),
    import('./reachable.ts'),
    import('../status/of-system.ts'),
  ]);
  const { readReachable, reachableFacts, reachableLines } = reach;
  const limit = limitOf(options.limit);
  const system = await loadSystem(name);
  const { backups, unread } = await readCatalogues(system, options);
  // A plan that left the file may still have backups.
  if (backups.length === 0 && options.plan !== undefined && unread.length === 0) planOf(system, options.plan);
  const reachable = await readReachable(system, backups);
  const shown: readonly KnownBackup[] = backups.slice(0, limit);
  const facts = { system: name, backups: shown.map(backupFacts), unread, ...reachableFacts(reachable) };
  shell.result(facts, (colours) =>
    shown.length === 0
      ? 'no backups'
      : [backupTable(shown, colours, Date.now()), ...reachableLines(reachable)].join('\n'),
  );
  for (const { store, error } of unread) shell.say(`the store ${store} could not be read: ${error.message}`);
  return unread.length > 0 ? 2 : 0;
}

/** Throws BadInput. */
function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit > 0) return limit;
  throw new HoldfastError('BadInput', `--limit ${text} is no whole number of at least 1`);
}
