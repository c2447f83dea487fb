import type { Command } from 'commander';
import type { CopyInput, CopyResult } from '../workflows/contract.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly backup?: string;
  readonly from?: string;
  readonly detach?: boolean;
}

export function defineCopy(program: Command): void {
  addCommand(program, 'copy <system> <store>', {
    summary: 'bring a store up to what the others hold',
    description:
      'Starts the workflow `copy` for this store, or follows the one that runs: every backup that the store should keep\n' +
      'and lacks, newest first, and the write-ahead log they need. Nothing is opened and no identity is needed. Each\n' +
      'backup starts the copies to the other stores of its plan by itself; this is for a store that was added later, and\n' +
      'for the log between two backups. A store that is away is waited for, for days. Ctrl-C leaves the copy running.',
    examples: [
      'copy m2m-connector nas',
      'copy m2m-connector nas --backup 82eed6cab96c --from primary',
      'copy m2m-connector archive --detach --json',
    ],
  })
    .option('--backup <id>', 'this one alone, whatever the retention of the store says')
    .option('--from <store>', 'only from this store (default: whichever holds it)')
    .option('--detach', 'start it and return')
    .action((system: string, target: string, options: Options) =>
      perform(options, (shell) => copy(shell, system, target, options)),
    );
}

async function copy(shell: Shell, system: string, target: string, options: Options): Promise<ExitCode> {
  const [
    { connectEngine },
    { startOperation, findOperation, follow },
    { workflowIds, WORKFLOWS },
    { checkSystem, checkStores },
  ] = await Promise.all([
    import('../engine/connect.ts'),
    import('./operation.ts'),
    import('../workflows/contract.ts'),
    import('./names.ts'),
  ]);
  await checkSystem(system);
  await checkStores(system, target, options.from);
  const input: CopyInput = {
    system,
    target,
    ...(options.backup === undefined ? {} : { backup: options.backup }),
    ...(options.from === undefined ? {} : { source: options.from }),
  };
  await using engine = await connectEngine();
  const workflowId = workflowIds.copy(system, target);
  const summary = `${system}: copies to ${target}`;
  const started = await startOperation(engine, shell, { type: WORKFLOWS.copy, workflowId, input, summary });
  if (started === undefined && (options.backup !== undefined || options.from !== undefined)) {
    const why = `a copy to ${target} is under way already; it takes every backup that ${target} should keep`;
    shell.result({ outcome: 'skipped', why, workflowId }, (colours) => `${colours.yellow('skipped')} ${why}`);
    return 1;
  }
  if (options.detach === true) {
    shell.result({ outcome: 'started', workflowId }, () => `copies; watch it with: holdfast watch ${workflowId}`);
    return 0;
  }
  const handle = started ?? (await findOperation(engine, workflowId));
  const followed = await follow<CopyResult>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  const { showCopyResult } = await import('./result-texts.ts');
  return showCopyResult(shell, followed.result);
}
