import type { Command } from 'commander';
import type { VerifyInput, VerifyResult } from '../workflows/contract.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly level?: 'presence' | 'content';
  readonly store?: string;
  readonly plan?: string;
}

export function defineVerify(program: Command): void {
  addCommand(program, 'verify <system> [backup]', {
    summary: 'read a backup back and say whether it is whole',
    description:
      'Level `content` (default) fetches, opens and compares every chunk and needs the identity on the host; `presence`\n' +
      'needs no key. The verdict is signed and kept beside the backup. A bad backup is an answer: exit 1.',
    examples: ['verify m2m-connector', 'verify m2m-connector 82eed6cab96c --level presence --store nas --json'],
  })
    .option('--level <level>', 'presence or content (default: content)')
    .option('--store <name>', 'the copy in this store')
    .option('--plan <name>', 'the newest of this plan, when no backup is named')
    .action((system: string, backup: string | undefined, options: Options) =>
      perform(options, (shell) => verify(shell, system, backup, options)),
    );
}

async function verify(shell: Shell, system: string, backup = 'latest', options: Options): Promise<ExitCode> {
  const [{ connectEngine }, { startOperation, follow, findOperation }, { workflowIds, WORKFLOWS }, { checkSystem }] =
    await Promise.all([
      import('../engine/connect.ts'),
      import('./operation.ts'),
      import('../workflows/contract.ts'),
      import('./names.ts'),
    ]);
  await checkSystem(system);
  const input: VerifyInput = {
    system,
    backup,
    ...(options.level === undefined ? {} : { level: options.level }),
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.plan === undefined ? {} : { plan: options.plan }),
  };
  await using engine = await connectEngine();
  const workflowId = workflowIds.verify(system, backup);
  const summary = `verification of ${system} ${backup}`;
  const started = await startOperation(engine, shell, { type: WORKFLOWS.verify, workflowId, input, summary });
  if (started === undefined) shell.say('this backup is being verified already; waiting for that verdict');
  const handle = started ?? (await findOperation(engine, workflowId));
  const followed = await follow<VerifyResult>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  const { showVerifyResult } = await import('./result-texts.ts');
  return showVerifyResult(shell, followed.result);
}
