import type { Command } from 'commander';
import type { UpEvent } from '../engine/index.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly host?: readonly string[];
  readonly port?: string;
  readonly uiPort?: string;
  readonly ui: boolean;
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function defineUp(program: Command): void {
  addCommand(program, 'up', {
    summary: 'run the engine and the workers of this machine',
    description:
      'Runs in the foreground until Ctrl-C or SIGTERM: the embedded Temporal server with its database under\n' +
      'HOLDFAST_HOME (none when TEMPORAL_ADDRESS names a server), one worker process for the workflows and one for each\n' +
      'host that this machine is. What dies is started again. Operations that were under way go on.',
    examples: ['up', 'up --host connector-1', 'up --port 7233 --no-ui'],
  })
    .option('--host <name>', 'a host that this machine is (may be repeated; default: from the system files)', collect)
    .option('--port <number>', 'exactly this port of the embedded server (default: 7233, or a free one)')
    .option('--ui-port <number>', 'exactly this port of the Temporal UI (default: 8233, or a free one)')
    .option('--no-ui', 'no Temporal UI')
    .action((options: Options) => perform(options, (shell) => up(shell, options)));
}

async function up(shell: Shell, options: Options): Promise<ExitCode> {
  const [{ runUp }, { hostsOfThisMachine, portOption }] = await Promise.all([
    import('../engine/index.ts'),
    import('./hosts.ts'),
  ]);
  const hosts = options.host ?? (await hostsOfThisMachine());
  const port = portOption('--port', options.port);
  const uiPort = options.ui ? portOption('--ui-port', options.uiPort) : false;
  await runUp({
    hosts,
    ...(port === undefined ? {} : { port }),
    ...(uiPort === undefined ? {} : { uiPort }),
    onEvent: (event) => tell(shell, event),
  });
  return 0;
}

/** With --json every event is one JSON line, since `up` has no end to wait for. */
function tell(shell: Shell, event: UpEvent): void {
  if (shell.json) process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
  else {
    const text = eventText(event);
    if (text !== undefined) shell.say(text);
    else shell.detail(JSON.stringify(event));
  }
}

function eventText(event: UpEvent): string | undefined {
  switch (event.kind) {
    case 'serving':
      return [
        `engine   ${event.address} (${event.from})`,
        ...(event.uiUrl === undefined ? [] : [`UI       ${event.uiUrl}`]),
      ].join('\n');
    case 'registered':
      return `added    search attributes ${event.searchAttributes.join(', ')}`;
    case 'orphans':
      return `ended    ${event.ended} processes that a killed \`up\` had left`;
    case 'given-back':
      return `retried  ${event.attempts.length} steps of workers that had died`;
    case 'receiver':
      return receiverText(event);
    case 'ready':
      return `ready    host ${event.hosts.join(', ')}; Ctrl-C stops`;
    case 'child':
      return childText(event);
  }
}

function receiverText({ did, workflowId, error = '' }: Extract<UpEvent, { kind: 'receiver' }>): string {
  switch (did) {
    case 'started':
    case 'goes on':
      return `${did}  ${workflowId}: a write-ahead log is received`;
    case 'told':
      return `changed  ${workflowId}: its system file says otherwise now, which it reads again`;
    case 'failed':
      return `no log   ${workflowId}: ${error}`;
  }
}

/** Starts and orderly ends are expected; a death is news. */
function childText(event: Extract<UpEvent, { kind: 'child' }>): string | undefined {
  return event.what === 'died'
    ? `died     ${event.name}${event.detail === undefined ? '' : `: ${event.detail}`}`
    : undefined;
}
