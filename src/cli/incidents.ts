import type { Command } from 'commander';
import type { AlarmEntry } from '../notify/alarm-log.ts';
import type { KnownIncident } from '../status/incidents.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly all?: boolean;
  readonly log?: boolean;
}

export function defineIncidents(program: Command): void {
  addCommand(program, 'incidents [system]', {
    summary: 'troubles that are followed: since when, who was told, who is on it',
    description:
      'Lists the incidents of a system, or of all: what is wrong, since when, up to which level people were told, when\n' +
      'the next is due, and who has acknowledged it. Exit 1 when there is an open one.\n\n' +
      'Every alarm is also a line of the alarm log in the state directory of the system of the machine that wrote it: --log\n' +
      'prints it, oldest first, and needs no engine.',
    examples: [
      'incidents',
      'incidents m2m-connector --all',
      'incidents m2m-connector --json',
      'incidents m2m-connector --log',
    ],
  })
    .option('--all', 'also those that are over, as far as the engine remembers')
    .option('--log', 'the alarm log of this machine instead')
    .action((system: string | undefined, options: Options) =>
      perform(options, (shell) => (options.log === true ? alarmLog(shell, system) : incidents(shell, system, options))),
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

async function alarmLog(shell: Shell, system: string | undefined): Promise<ExitCode> {
  const [{ readAlarms }, { checkSystem }, { alarmText }, { HoldfastError }] = await Promise.all([
    import('../notify/alarm-log.ts'),
    import('./names.ts'),
    import('./incident-texts.ts'),
    import('../failures.ts'),
  ]);
  if (system === undefined) throw new HoldfastError('BadInput', 'the alarm log is that of one system: name it');
  await checkSystem(system);
  const alarms: AlarmEntry[] = [];
  for await (const alarm of readAlarms(system)) alarms.push(alarm);
  shell.result({ alarms }, (colours) => alarms.map((alarm) => alarmText(alarm, colours)).join('\n'));
  return 0;
}

function isOpen({ running, incident }: KnownIncident): boolean {
  return running && incident?.state !== 'healed';
}
