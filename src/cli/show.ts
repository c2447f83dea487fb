import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly store?: string;
}

export function defineShow(program: Command): void {
  addCommand(program, 'show <system> <backup>', {
    summary: 'everything about one backup',
    description:
      'Prints the manifest of a backup (its id or the beginning of it, or `latest`), its trust and its verdicts. With\n' +
      '--json the manifest as it was signed, with the proofs beside it.',
    examples: ['show m2m-connector latest', 'show m2m-connector 82eed6cab96c --json'],
  })
    .option('--store <name>', 'from this store')
    .action((system: string, backup: string, options: Options) =>
      perform(options, (shell) => show(shell, system, backup, options)),
    );
}

async function show(shell: Shell, name: string, backup: string, options: Options): Promise<ExitCode> {
  const [{ loadSystem }, { readCatalogues }, { backupText }, { HoldfastError }, reach] = await Promise.all([
    import('../system/load.ts'),
    import('../status/catalogues.ts'),
    import('./backup-texts.ts'),
    import('../failures.ts'),
    import('./reachable.ts'),
  ]);
  const { readReachable, reachableFacts, reachableLines } = reach;
  const system = await loadSystem(name);
  const { backups } = await readCatalogues(system, options);
  const matches =
    backup === 'latest'
      ? backups.filter(({ entry }) => entry.body.purpose === 'backup').slice(0, 1)
      : backups.filter(({ entry }) => entry.body.id.startsWith(backup) || entry.key === backup);
  const [found, second] = matches;
  if (found === undefined) throw new HoldfastError('BackupMissing', `${name} has no backup ${backup}`);
  if (second !== undefined && second.entry.body.id !== found.entry.body.id) {
    throw new HoldfastError('BadInput', `${matches.length} backups begin with ${backup}; write more of the id`);
  }
  const { entry, stores } = found;
  const verdicts = found.verdicts.map(({ store, proof: { level, ok, at } }) => ({ store, level, ok, at }));
  const { body, sha256, trust, notes = [], proofs } = entry;
  const reachable = await readReachable(system, [found]);
  const facts = { manifest: body, sha256, trust, notes, proofs, stores, verdicts, ...reachableFacts(reachable) };
  shell.result(facts, (colours) => [backupText(found, colours, Date.now()), ...reachableLines(reachable)].join('\n'));
  return trust.ok ? 0 : 1;
}
