import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Engine } from '../engine/connect.ts';
import type { Progress, RestartFound, RestartInput, RestartResult } from '../workflows/contract.ts';
import type { FollowView } from './operation.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly lines?: string;
}

const USUAL_LINES = 100;

export function defineRestart(program: Command): void {
  addCommand(program, 'restart <system> [service]', {
    summary: 'start again what is down, and wait until it is healthy',
    description:
      'Finds the containers and systemd units of the system that are down, unhealthy or do not stay up, on all of its hosts; shows the end\n' +
      'of the log of each; starts them again, what others depend on first; waits until they and the services that depend\n' +
      'on them are healthy. What a backup holds still, what somebody paused, and what somebody stopped stays as it is;\n' +
      'a service that is named is started again in any case but the first two. What was done is noted in the incident.\n' +
      'Exit 1 when it has not helped: then a restore may, whose plan `restore --dry-run` shows.',
    examples: ['restart m2m-connector', 'restart m2m-connector tigerbeetle', 'restart m2m-connector --lines 500'],
  })
    .option('--lines <number>', `how many of the last lines of each log (default: ${USUAL_LINES})`)
    .action((system: string, service: string | undefined, options: Options) =>
      perform(options, (shell) => restart(shell, system, service, options)),
    );
}

async function restart(
  shell: Shell,
  system: string,
  service: string | undefined,
  { lines }: Options,
): Promise<ExitCode> {
  const [
    { HoldfastError },
    { checkSystem },
    { connectEngine },
    { workflowIds, WORKFLOWS },
    operations,
    { showRestart },
  ] = await Promise.all([
    import('../failures.ts'),
    import('./names.ts'),
    import('../engine/connect.ts'),
    import('../workflows/contract.ts'),
    import('./operation.ts'),
    import('./restart-texts.ts'),
  ]);
  const logLines = Number(lines ?? USUAL_LINES);
  if (!Number.isInteger(logLines) || logLines < 1)
    throw new HoldfastError('BadInput', '--lines takes a number from 1 on');
  await checkSystem(system);
  await using engine = await connectEngine();
  const input: RestartInput = { system, logLines, ...(service === undefined ? {} : { service }) };
  const workflowId = workflowIds.restart(system);
  const summary = `restart of ${service ?? 'what is down'} of ${system}`;
  const started = await operations.startOperation(engine, shell, {
    type: WORKFLOWS.restart,
    workflowId,
    input,
    summary,
  });
  if (started === undefined) shell.say(`a restart of ${system} runs already; following that run`);
  const handle = started ?? (await operations.findOperation(engine, workflowId));
  const logs = new LogsShown(shell);
  let isToldWhy = false;
  const onProgress = (progress: Progress, view: FollowView): Promise<void> => {
    if (progress.waitingFor !== undefined && !isToldWhy) {
      isToldWhy = true;
      view.hide();
      shell.say(waitsText(progress.waitingFor));
    }
    return logs.show(engine, workflowId, view);
  };
  const followed = await operations.follow<RestartResult>(engine, shell, handle, { onProgress });
  if (followed.state === 'left') return 2;
  await logs.showAll(followed.result.containers);
  return showRestart(shell, followed.result);
}

/** `by` names an operation and its workflow. */
function waitsText(by: string): string {
  const id = by.split(' ').at(-1) ?? '';
  return (
    `waits for ${by}, 15 minutes at most: what that has paused or stopped must not be started under it.\n` +
    `To end it now, which starts again what it holds: temporal workflow cancel --workflow-id ${id}`
  );
}

/** Each log once, as soon as it is there: it says what to do before the restart does. */
class LogsShown {
  private readonly shell: Shell;
  private readonly shown = new Set<string>();

  constructor(shell: Shell) {
    this.shell = shell;
  }

  async show(engine: Engine, workflowId: string, view: FollowView): Promise<void> {
    const { QUERIES } = await import('../workflows/contract.ts');
    const handle = engine.client.workflow.getHandle(workflowId);
    // A worker that is busy answers the next time.
    const found = await handle.query<readonly RestartFound[]>(QUERIES.restart).catch(() => []);
    const all = found.flatMap(({ host, targets }) => targets.map((one) => ({ ...one, host })));
    if (all.every(({ log }) => this.shown.has(log))) return;
    view.hide();
    await this.showAll(all);
  }

  async showAll(all: readonly { name: string; host: string; what: string; log: string }[]): Promise<void> {
    for (const { name, host, what, log } of all) {
      if (this.shown.has(log)) continue;
      this.shown.add(log);
      this.shell.say(`${name} on ${host} ${what}. The end of its log (${log}):`);
      this.shell.say(await this.read(log, host));
    }
  }

  private async read(log: string, host: string): Promise<string> {
    try {
      const text = (await readFile(log, 'utf8')).trimEnd();
      return text === '' ? '  (it has said nothing)' : text.replaceAll(/^/gm, '  | ');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return `  (it lies on ${host})`;
    }
  }
}
