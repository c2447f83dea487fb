import type { Command } from 'commander';
import type { BackupInput, BackupResult } from '../workflows/contract.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly tag?: string;
  readonly wait?: string;
  readonly detach?: boolean;
}

export function defineBackup(program: Command): void {
  addCommand(program, 'backup <system> <plan>', {
    summary: 'take a backup by a plan of the system',
    description:
      'Starts the workflow `backup` and waits until the manifest is committed and verified. Another operation on the\n' +
      'same system is waited for; a run of the same plan that is under way already makes this one a no (exit 1).\n' +
      'Ctrl-C leaves the backup running in the engine.',
    examples: [
      'backup m2m-connector daily',
      'backup m2m-connector daily --tag before-upgrade --json',
      'backup m2m-connector hourly --wait 10m',
    ],
  })
    .option('--tag <text>', 'a note that stays with the backup')
    .option('--wait <duration>', 'how long to wait for another operation on the system, such as 10m (default: 6h)')
    .option('--detach', 'start it and return')
    .action((system: string, plan: string, options: Options) =>
      perform(options, (shell) => backup(shell, system, plan, options)),
    );
}

async function backup(shell: Shell, system: string, plan: string, options: Options): Promise<ExitCode> {
  const [{ connectEngine }, { startOperation, follow }, { workflowIds, WORKFLOWS }, { checkPlan, durationOption }] =
    await Promise.all([
      import('../engine/connect.ts'),
      import('./operation.ts'),
      import('../workflows/contract.ts'),
      import('./names.ts'),
    ]);
  await checkPlan(system, plan);
  const waitSeconds = durationOption('--wait', options.wait);
  const input: BackupInput = {
    system,
    plan,
    ...(options.tag === undefined ? {} : { tag: options.tag }),
    ...(waitSeconds === undefined ? {} : { waitSeconds }),
  };
  await using engine = await connectEngine();
  const workflowId = workflowIds.backup(system, plan);
  const summary = `backup of ${system} by plan ${plan}`;
  const handle = await startOperation(engine, shell, { type: WORKFLOWS.backup, workflowId, input, summary });
  if (handle === undefined) {
    const why = `a backup of ${system} by plan ${plan} is under way already`;
    shell.result({ outcome: 'skipped', why, workflowId } satisfies BackupResult & { workflowId: string }, (colours) =>
      [`${colours.yellow('skipped')} ${why}`, `Watch it with: holdfast watch ${workflowId}`].join('\n'),
    );
    return 1;
  }
  if (options.detach === true) {
    shell.result({ outcome: 'started', workflowId }, () => `started; watch it with: holdfast watch ${workflowId}`);
    return 0;
  }
  const followed = await follow<BackupResult>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  const { showBackupResult } = await import('./result-texts.ts');
  return showBackupResult(shell, followed.result);
}
