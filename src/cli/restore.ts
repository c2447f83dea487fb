import type { Command } from 'commander';
import { addApproval, addChoice, collect, type ApprovalOptions, type ChoiceOptions } from './choice-options.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface RestoreOptions extends CommonOptions, ChoiceOptions, ApprovalOptions {
  readonly dryRun?: boolean;
  readonly verifyOnly?: boolean;
  readonly backup?: string;
  readonly component?: readonly string[];
  readonly path?: readonly string[];
  readonly target?: string;
  readonly skipSafetyBackup?: boolean;
  readonly apart?: boolean;
  readonly thaw?: 'bulk' | 'standard' | 'expedited';
  readonly whole?: boolean;
  readonly together?: boolean;
  readonly fallBacks?: string;
  readonly fromStore?: string;
  readonly kit?: string;
}

export function defineRestore(program: Command): void {
  const command = addCommand(program, 'restore [system] [backup]', {
    summary: 'bring a system, or a part of it, back from a backup',
    description:
      'Prints the plan first: what is stopped, replaced and started, how old the data is. Nothing live is touched before\n' +
      'a person approves that plan: here on a terminal, with --approve, or with `holdfast approve`. Then the current\n' +
      'state is saved, the backup restored beside it, checked, swapped in and started, gated on health.\n' +
      'Without a backup the newest is taken. With --target nothing live is touched and nobody is asked.\n\n' +
      'With --whole every component comes back, each from its newest usable backup (before --before), from as few backups\n' +
      'as its objectives allow; then the checks of the system file are asked, and its reconciliation.\n\n' +
      'Break glass: with --from-store and --kit it restores on a bare machine, with an engine of its own; the whole system,\n' +
      'unless something narrower is asked for.',
    examples: [
      'restore m2m-connector --dry-run',
      'restore m2m-connector',
      'restore m2m-connector --backup clean --component uploads',
      'restore m2m-connector --whole',
      'restore tracktion --whole --before 2026-11-21T00:00:00Z --dry-run',
      'restore m2m-connector 82eed6cab96c --component ledger --approve 3f9c0d1e2b4a',
      'restore shop --component database --to-time 2026-11-21T02:00:00Z --target /var/lib/postgresql/15/look',
      'restore m2m-connector --component configuration --path .env --target /tmp/look',
      'restore --from-store /mnt/nas/m2m --kit recovery-kit.txt',
      "restore --from-store 's3://bucket/m2m?endpoint=https://s3.example.net' --kit recovery-kit.txt",
    ],
  })
    .option('--dry-run', 'print the plan and end')
    .option('--verify-only', 'restore beside, check, and remove it again')
    .option('--whole', 'the whole system, and ask its checks when it is open again')
    .option('--together', 'with --whole: rather fewer backups than newer ones, so that the parts fit each other')
    .option(
      '--fall-backs <n>',
      'with --whole: how often a backup found bad before anything is stopped gives way to an older one, by a plan of its own (default 3)',
    )
    .option('--backup <id>', 'this backup, as the argument; `clean`: what the newest `clean-point` has named')
    .option('--component <name>', 'only this component (may be repeated)', collect)
    .option('--path <path>', 'only this path inside a component (may be repeated)', collect)
    .option('--apart', 'also a backup of a site that was fenced, which is named by its id')
    .option('--target <place>', 'restore into this directory or volume instead');
  addApproval(addChoice(command), 'plan')
    .option('--skip-safety-backup', 'do not save the current state first')
    .option('--thaw <speed>', 'of a backup in an archive class: bulk, standard (default in place) or expedited')
    .option(
      '--from-store <place>',
      'break glass: a directory, s3://bucket/prefix, gs://…, azure://account/container/prefix, sftp://user@host/path?hostKey=…',
    )
    .option('--kit <file>', 'break glass: the recovery kit')
    .action((system: string | undefined, backup: string | undefined, options: RestoreOptions) =>
      perform(options, (shell) => chooseWay(shell, system, backup, options)),
    );
}

async function chooseWay(
  shell: Shell,
  system: string | undefined,
  named: string | undefined,
  options: RestoreOptions,
): Promise<ExitCode> {
  if (options.fromStore !== undefined || options.kit !== undefined) {
    const { breakGlass } = await import('./break-glass.ts');
    return breakGlass(shell, system, named ?? options.backup, options);
  }
  const [{ HoldfastError }, { checkSystem }, { connectEngine }, { runRestore }] = await Promise.all([
    import('../failures.ts'),
    import('./names.ts'),
    import('../engine/connect.ts'),
    import('./run-restore.ts'),
  ]);
  if (system === undefined) throw new HoldfastError('BadInput', 'which system is to be restored?');
  if (named !== undefined && options.backup !== undefined && named !== options.backup) {
    throw new HoldfastError('BadInput', `two backups are named, ${named} and ${options.backup}: leave one out`);
  }
  const backup = named ?? options.backup;
  await checkSystem(system);
  await using engine = await connectEngine();
  return await runRestore(shell, engine, system, backup, options);
}
