import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly by?: string;
  readonly why?: string;
  readonly operation?: string;
}

export function defineReject(program: Command): void {
  addCommand(program, 'reject <system>', {
    summary: 'end what waits for a person, without changing anything: a restore, rows, a prune',
    description:
      'Ends the operation that waits for approval; nothing was changed by it. Where a restored system did not become\n' +
      'healthy and a decision is waited for, a rejection puts the old state back.',
    examples: ["reject m2m-connector --why 'wrong backup'"],
  })
    .option('--by <name>', 'who rejects (default: the user of this machine)')
    .option('--why <text>', 'the reason, for those who read the report')
    .option('--operation <id>', 'this operation, when several wait')
    .action((system: string, options: Options) => perform(options, (shell) => reject(shell, system, options)));
}

async function reject(shell: Shell, system: string, options: Options): Promise<ExitCode> {
  const [{ connectEngine }, { sendRejection }, { waitingOperation }, { checkSystem, whoAmI }] = await Promise.all([
    import('../engine/connect.ts'),
    import('./answer.ts'),
    import('../status/running.ts'),
    import('./names.ts'),
  ]);
  await checkSystem(system);
  await using engine = await connectEngine();
  const workflowId = options.operation ?? (await waitingOperation(engine, system));
  const handle = engine.client.workflow.getHandle(workflowId);
  const rejection = {
    by: options.by ?? (await whoAmI()),
    ...(options.why === undefined ? {} : { why: options.why }),
  };
  const state = await sendRejection(handle, rejection, shell);
  shell.result(
    { ok: true, state, workflowId, ...rejection },
    (colours) => `${colours.yellow('rejected')} by ${rejection.by}`,
  );
  return 0;
}
