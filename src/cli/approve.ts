import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly by?: string;
  readonly operation?: string;
  readonly watch?: boolean;
}

export function defineApprove(program: Command): void {
  addCommand(program, 'approve <system> <digest>', {
    summary: 'let what waits for a person go on: a restore, rows, a prune',
    description:
      'Approves the printed plan of the operation that waits, by its digest (at least its first 12 digits). An approval of\n' +
      'any other plan is refused (exit 1). Approving twice is harmless.',
    examples: ['approve m2m-connector 3f9c0d1e2b4a', 'approve m2m-connector 3f9c0d1e2b4a --by ana --watch'],
  })
    .option('--by <name>', 'who approves (default: the user of this machine)')
    .option('--operation <id>', 'this operation, when several wait')
    .option('--watch', 'follow the operation to its end')
    .action((system: string, digest: string, options: Options) =>
      perform(options, (shell) => approve(shell, system, digest, options)),
    );
}

async function approve(shell: Shell, system: string, digest: string, options: Options): Promise<ExitCode> {
  const [{ connectEngine }, { sendApproval }, { waitingOperation }, { checkSystem, whoAmI }] = await Promise.all([
    import('../engine/connect.ts'),
    import('./answer.ts'),
    import('../status/running.ts'),
    import('./names.ts'),
  ]);
  await checkSystem(system);
  await using engine = await connectEngine();
  const workflowId = options.operation ?? (await waitingOperation(engine, system, digest));
  const handle = engine.client.workflow.getHandle(workflowId);
  const approval = { digest, by: options.by ?? (await whoAmI()) };
  const state = await sendApproval(handle, approval, shell);
  if (options.watch !== true) {
    shell.result({ ok: true, state, workflowId, ...approval }, (colours) =>
      [`${colours.green('approved')} by ${approval.by}`, `watch: holdfast watch ${workflowId}`].join('\n'),
    );
    return 0;
  }
  const { watchOperation } = await import('./watch.ts');
  return await watchOperation(shell, engine, workflowId);
}
