import path from 'node:path';
import type { Command } from 'commander';
import type { PageOptions, UpEvent } from '../engine/index.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  /** False: `--no-host`. */
  readonly host?: readonly string[] | false;
  readonly port?: string;
  readonly uiPort?: string;
  readonly ui: boolean;
  readonly page: boolean;
  readonly pagePort?: string;
  readonly pageAddress?: string;
  readonly pageTokenFile?: string;
  readonly pageTokenEnv?: string;
  readonly pageName?: readonly string[];
  readonly pageProxyHeader?: string;
  readonly pageProxyFrom?: readonly string[];
  readonly pageUiUrl?: string;
  readonly metrics?: string;
  readonly metricsName?: readonly string[];
  readonly forgetLooks?: string;
  readonly schedules: boolean;
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function defineUp(program: Command): void {
  addCommand(program, 'up', {
    summary: 'run the engine and the workers of this machine',
    description:
      'Runs in the foreground until Ctrl-C or SIGTERM: the embedded Temporal server with its database under\n' +
      'HOLDFAST_HOME (none when TEMPORAL_ADDRESS names a server), one worker process for the workflows and one for each\n' +
      'host that this machine is. What dies is started again. Operations that were under way go on. The schedules of the\n' +
      'system files are applied, also when a file changes, and what changed is said. A page to look at is served on\n' +
      'loopback; on another address only with a token, or behind a proxy that asks who it is (docs/page.md).',
    examples: [
      'up',
      'up --host connector-1',
      'up --port 7233 --no-ui',
      'up --page-address 0.0.0.0 --page-name backups.example.net --page-token-file /etc/holdfast/page.token',
    ],
  })
    .option('--host <name>', 'a host that this machine is (may be repeated; default: from the system files)', collect)
    .option('--no-host', 'no host: only the worker for the workflows, beside those of other machines')
    .option('--port <number>', 'exactly this port of the embedded server (default: 7233, or a free one)')
    .option('--ui-port <number>', 'exactly this port of the Temporal UI (default: 8233, or a free one)')
    .option('--no-ui', 'no Temporal UI')
    .option('--page-port <number>', 'exactly this port of the page to look at (default: 8234, or a free one)')
    .option('--page-address <address>', 'where the page is served (default: 127.0.0.1)')
    .option('--page-token-file <file>', 'ask whoever looks for the token in this file')
    .option('--page-token-env <name>', 'ask for the token in this environment variable')
    .option('--page-name <name>', 'a name that the page answers to, beside localhost (may be repeated)', collect)
    .option('--page-proxy-header <name>', 'who it is stands in this header, which a proxy sets')
    .option(
      '--page-proxy-from <address>',
      'from where that header is believed: 10.0.0.5, 10.0.0.0/8 (repeatable)',
      collect,
    )
    .option('--page-ui-url <url>', 'where the page finds the Temporal UI, when it is not the embedded one')
    .option('--no-page', 'no page')
    .option(
      '--metrics <address>',
      'where Prometheus finds the first worker, [address:]port, the others on the ports after it; or off (default:\n' +
        'free ports on loopback, named in engine/metrics-targets/)',
    )
    .option('--metrics-name <name>', 'a name by which Prometheus asks, beside localhost (may be repeated)', collect)
    .option(
      '--forget-looks <age>',
      'remove looks of monitoring that are older from the server (default: 24h from the embedded one, off for others)',
    )
    .option('--no-schedules', 'do not apply the schedules of the system files; those applied before still run')
    .action((options: Options) => perform(options, (shell) => up(shell, options)));
}

async function up(shell: Shell, options: Options): Promise<ExitCode> {
  const [{ runUp }, { hostsOfThisMachine, portOption }, { parseMetricsAddress }, { forgetLooksAfter }] =
    await Promise.all([
      import('../engine/index.ts'),
      import('./hosts.ts'),
      import('../engine/metrics-address.ts'),
      import('../engine/forget-looks.ts'),
    ]);
  // Commander gives `true` when neither was written.
  const hosts =
    options.host === false
      ? []
      : Array.isArray(options.host)
        ? options.host
        : await hostsOfThisMachine((text) => shell.say(text));
  const port = portOption('--port', options.port);
  const uiPort = options.ui ? portOption('--ui-port', options.uiPort) : false;
  const page = options.page ? await pageOptions(options, portOption('--page-port', options.pagePort)) : undefined;
  const metrics = options.metrics === undefined ? undefined : (parseMetricsAddress(options.metrics) ?? 'off');
  await runUp({
    hosts,
    ...(metrics === undefined ? {} : { metrics }),
    ...(options.metricsName === undefined ? {} : { metricsNames: options.metricsName }),
    schedules: options.schedules,
    forgetLooksSeconds: forgetLooksAfter(options.forgetLooks, process.env),
    ...(port === undefined ? {} : { port }),
    ...(uiPort === undefined ? {} : { uiPort }),
    ...(page === undefined ? {} : { page }),
    onEvent: (event) => tell(shell, event),
  });
  return 0;
}

/** What would keep the page from being served is told now, and not by a child that dies again and again. */
async function pageOptions(options: Options, port: number | undefined): Promise<PageOptions> {
  const [{ accessRules }, { resolveSecret }] = await Promise.all([
    import('../page/options.ts'),
    import('../system/secrets.ts'),
  ]);
  const { pageAddress: address = '127.0.0.1', pageTokenFile, pageTokenEnv, pageProxyHeader, pageUiUrl } = options;
  const { pageName: names = [], pageProxyFrom: from = [] } = options;
  const rules = {
    'token-file': pageTokenFile === undefined ? undefined : path.resolve(pageTokenFile),
    'token-env': pageTokenEnv,
    'proxy-header': pageProxyHeader,
    'ui-url': pageUiUrl,
    host: names,
    'proxy-from': from,
  };
  await accessRules({ address, ...rules }, resolveSecret);
  const told = Object.entries(rules).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((one) => [`--${name}`, one]),
  );
  return { address, rules: told, ...(port === undefined ? {} : { port }) };
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
    case 'page':
      return `page     ${event.url}`;
    case 'registered':
      return `added    search attributes ${event.searchAttributes.join(', ')}`;
    case 'orphans':
      return `ended    ${event.ended} processes that a killed \`up\` had left`;
    case 'given-back':
      return `retried  ${event.attempts.length} steps of workers that had died`;
    case 'standing':
      return standingText(event);
    case 'schedules':
      return schedulesText(event);
    case 'ready':
      return `ready    ${event.hosts.length === 0 ? 'for the workflows' : `host ${event.hosts.join(', ')}`}; Ctrl-C stops`;
    case 'child':
      return childText(event);
  }
}

function standingText({ did, workflowId, error = '' }: Extract<UpEvent, { kind: 'standing' }>): string {
  switch (did) {
    case 'started':
    case 'goes on':
      return `${did}  ${workflowId}: ${whatStands(workflowId)}`;
    case 'told':
      return `changed  ${workflowId}: its system file says otherwise now, which it reads again`;
    case 'failed':
      return `trouble  ${workflowId}: ${error}`;
  }
}

function whatStands(workflowId: string): string {
  const [, kind = ''] = workflowId.split('/');
  const told: Readonly<Record<string, string>> = {
    changes: 'files are watched',
    standby: 'new backups are restored ahead while another site is active',
    sites: 'what the other sites do is watched',
    wal: 'a write-ahead log is received',
  };
  return told[kind] ?? 'it stands by';
}

function schedulesText(event: Extract<UpEvent, { kind: 'schedules' }>): string {
  if (event.did === 'failed') return `not set  schedules of ${event.system}: ${event.error}`;
  const names = (kind: string) =>
    event.changes.flatMap((change) =>
      change.do === kind ? [change.do === 'remove' ? change.id : change.declared.name] : [],
    );
  const parts = (['create', 'change', 'remove'] as const).flatMap((kind) => {
    const found = names(kind);
    return found.length === 0 ? [] : [`${WORDS[kind]} ${found.join(', ')}`];
  });
  return `applied  schedules of ${event.system}: ${parts.join('; ')}`;
}

const WORDS = { create: 'new', change: 'changed', remove: 'removed' } as const;

/** Starts and orderly ends are expected; a death is news. */
function childText(event: Extract<UpEvent, { kind: 'child' }>): string | undefined {
  return event.what === 'died'
    ? `died     ${event.name}${event.detail === undefined ? '' : `: ${event.detail}`}`
    : undefined;
}
