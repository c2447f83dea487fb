import type { Command } from 'commander';
import type { KnownIncident } from '../status/incidents.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly all?: boolean;
}

export function defineIncidents(program: Command): void {
  addCommand(program, 'incidents [system]', {
    summary: 'troubles that are followed: since when, who was told, who is on it',
    description:
      'Lists the incidents of a system, or of all: what is wrong, since when, up to which level people were told, when\n' +
      'the next is due, and who has acknowledged it. Exit 1 when there is an open one.\n\n' +
      'Every alarm is also a line of the file alarms.jsonl in the state directory of the system, which is read without\n' +
      'an engine.',
    examples: ['incidents', 'incidents m2m-connector --all', 'incidents m2m-connector --json'],
  })
    .option('--all', 'also those that are over, as far as the engine remembers')
    .action((system: string | undefined, options: Options) =>
      perform(options, (shell) => incidents(shell, system, options)),
    );
}

async function incidents(shell: Shell, system: string | undefined, { all }: Options): Promise<ExitCode> {
  const [{ connectEngine }, { listIncidents }, { checkSystem }, { incidentsText }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../status/incidents.ts'),
    import('./names.ts'),
    import('./incident-texts.ts'),
  ]);
  if (system !== undefined) await checkSystem(system);
  await using engine = await connectEngine();
  const found = await listIncidents(engine, { system, which: all === true ? 'all' : 'running' });
  shell.result({ incidents: found }, (colours) => incidentsText(found, colours, Date.now()));
  return found.some(isOpen) ? 1 : 0;
}

function isOpen({ running, incident }: KnownIncident): boolean {
  return running && incident?.state !== 'healed';
}
