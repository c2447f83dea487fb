import type { Command } from 'commander';
import type { AnswerState } from './answer.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly note?: string;
  readonly by?: string;
  readonly all?: boolean;
}

export function defineAck(program: Command): void {
  addCommand(program, 'ack <system> [incident]', {
    summary: 'say that you are on it: nobody else is told',
    description:
      'Acknowledges an incident by its id, as messages and `incidents` show it (check/subject); without one, the only one\n' +
      'that is open. Those who were told learn who is on it, and nobody else is told while the acknowledgement holds\n' +
      '(`escalation.acknowledgedFor`). It ends when the trouble gets worse. Exit 1 when there is no such incident.',
    examples: [
      'ack m2m-connector',
      'ack m2m-connector freshness/hourly --note "the ledger is being moved"',
      'ack m2m-connector --all --by ana',
    ],
  })
    .option('--note <text>', 'what you know or do, for the others')
    .option('--by <name>', 'who acknowledges (default: the user of this machine)')
    .option('--all', 'every open incident of the system')
    .action((system: string, incident: string | undefined, options: Options) =>
      perform(options, (shell) => acknowledge(shell, system, incident, options)),
    );
}

async function acknowledge(
  shell: Shell,
  system: string,
  incident: string | undefined,
  options: Options,
): Promise<ExitCode> {
  const [{ connectEngine }, { sendAcknowledgement }, { openIncidents }, { checkSystem, whoAmI }] = await Promise.all([
    import('../engine/connect.ts'),
    import('./answer.ts'),
    import('./open-incidents.ts'),
    import('./names.ts'),
  ]);
  await checkSystem(system);
  await using engine = await connectEngine();
  const chosen = await openIncidents(engine, system, { incident, all: options.all === true });
  if (chosen.length === 0) {
    shell.result({ ok: false, acknowledged: [] }, (colours) => {
      const which = incident === undefined ? '' : ` ${incident}`;
      return `${colours.yellow('nothing acknowledged')}: ${system} has no open incident${which}`;
    });
    return 1;
  }
  const by = options.by ?? (await whoAmI());
  const acknowledged: { readonly incident: string; readonly state: AnswerState }[] = [];
  for (const id of chosen) {
    const handle = engine.client.workflow.getHandle(`${system}/incident/${id}`);
    const state = await sendAcknowledgement(
      handle,
      { by, ...(options.note === undefined ? {} : { note: options.note }) },
      shell,
    );
    acknowledged.push({ incident: id, state });
  }
  shell.result({ ok: true, by, acknowledged }, (colours) =>
    acknowledged.map((one) => `${colours.green('acknowledged')} ${one.incident} by ${by}`).join('\n'),
  );
  return 0;
}
