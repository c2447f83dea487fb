/** A whole site in a temporary directory: its own home, a system file, a vault, a Temporal server, worker processes. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { failAttemptsOfDead } from '../../src/engine/recover.ts';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import type { SystemdMachine } from '../support/systemd-machine.ts';
import { devServer, eventually, uniqueName } from '../workflows/stage.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const HOST = 'alpha';

export interface Site extends AsyncDisposable {
  readonly directory: string;
  readonly system: string;
  readonly env: TestWorkflowEnvironment;
  /** Where a component's data can lie. */
  data(name: string): string;
  /** A line of the command line program. */
  holdfast(...args: string[]): Promise<string>;
  startWorker(role: 'orchestration' | 'host', host?: string): Promise<ChildProcess>;
  /** One for the stories and one for the host, the first of `workers()` and the second. */
  startWorkers(): Promise<void>;
  /** Those that run, in the order of their start. */
  workers(): ChildProcess[];
  /** SIGKILL, as by the kernel. */
  kill(worker: ChildProcess): Promise<void>;
  /**
   * Gives back the step that a killed worker had begun for this run, as `up` does for the workers it has started; without
   * it the heartbeat time-out does. Harmless when the run has ended.
   */
  giveBack(worker: ChildProcess, handle: WorkflowHandle): Promise<void>;
  run<T>(type: string, input: object): Promise<T>;
  start(type: string, input: object): ReturnType<TestWorkflowEnvironment['client']['workflow']['start']>;
}

/**
 * `describe` writes the components and plans of the system file; the rest of it is the same for every test. The workers of
 * hosts run on `hostMachine`, where one is given.
 */
export async function makeSite(
  describe: (data: (name: string) => string) => string,
  hosts: readonly string[] = [HOST],
  hostMachine: Pick<SystemdMachine, 'within' | 'environment'> = { within: [], environment: {} },
): Promise<Site> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-site-'));
  const system = 'little-stack';
  const env = await devServer();
  const environment = {
    ...process.env,
    HOLDFAST_HOME: path.join(directory, 'home'),
    HOLDFAST_LOG: 'info',
    TEMPORAL_ADDRESS: env.address,
    TEMPORAL_NAMESPACE: env.namespace ?? 'default',
  };
  const data = (name: string): string => path.join(directory, 'data', name);
  await mkdir(path.join(directory, 'data'));
  await mkdir(path.join(directory, 'store'));
  const file = path.join(directory, 'system.yaml');
  await writeFile(file, systemFile(system, directory, { hosts, rest: describe(data) }));

  const holdfast = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(ROOT, 'src/cli.ts'), ...args], {
      env: environment,
    });
    return stdout;
  };
  const workers = new Map<ChildProcess, string>();
  const kill = async (worker: ChildProcess): Promise<void> => {
    if (worker.exitCode === null && worker.signalCode === null) {
      const exit = once(worker, 'exit');
      worker.kill('SIGKILL');
      await exit;
    }
    workers.delete(worker);
  };
  const startWorker: Site['startWorker'] = async (role, host = HOST) => {
    const args = role === 'host' ? ['--role', 'host', '--host', host] : ['--role', 'orchestration'];
    const log = path.join(directory, `${role}-${workers.size}.log`);
    const { within, environment: there } = role === 'host' ? hostMachine : { within: [], environment: {} };
    const [program = '', ...rest] = [...within, process.execPath, path.join(ROOT, 'src/worker.ts'), ...args];
    const child = spawn(program, rest, {
      env: { ...environment, ...there },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    workers.set(child, log);
    await readyOrFail(child, log);
    return child;
  };
  await holdfast('init', file, '--kit', path.join(directory, 'kit.txt'));

  return {
    directory,
    system,
    env,
    data,
    holdfast,
    workers: () => [...workers.keys()],
    kill,
    giveBack: (worker, handle) =>
      eventually('the step of the dead is given back', async () => {
        const given = await failAttemptsOfDead(env.client, worker.pid ?? 0);
        return given.length > 0 || (await handle.describe()).status.name !== 'RUNNING' || undefined;
      }).then(() => undefined),
    startWorker,
    startWorkers: async () => {
      await Promise.all([startWorker('orchestration'), startWorker('host')]);
    },
    start: (type, input) =>
      env.client.workflow.start(type, {
        taskQueue: ORCHESTRATION_QUEUE,
        workflowId: uniqueName(type),
        args: [{ system, ...input }],
      }),
    run: async <T>(type: string, input: object): Promise<T> =>
      (await env.client.workflow.execute(type, {
        taskQueue: ORCHESTRATION_QUEUE,
        workflowId: uniqueName(type),
        args: [{ system, ...input }],
      })) as T,
    [Symbol.asyncDispose]: async () => {
      for (const worker of workers.keys()) await kill(worker);
      await env.teardown();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A second store `away`, a component `files`, and a plan `daily` of it with these further lines. */
export function filesWithAway(data: (name: string) => string, plan: readonly string[]): string {
  return [
    '  away:',
    '    kind: directory',
    `    path: ${data('../away')}`,
    'components:',
    '  files:',
    '    kind: files',
    `    path: ${data('files')}`,
    'plans:',
    '  daily:',
    '    components: [files]',
    ...plan.map((line) => `    ${line}`),
  ].join('\n');
}

/** Resolves when the worker says that it runs; its log is kept for the message when it does not. */
async function readyOrFail(child: ChildProcess, log: string): Promise<void> {
  let said = '';
  const ready = Promise.withResolvers<undefined>();
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-20_000);
    if (said.includes('worker runs')) ready.resolve(undefined);
    void writeFile(log, said).catch(() => undefined);
  });
  child.once('exit', (code, signal) => {
    ready.reject(new Error(`the worker ended (${String(code ?? signal)}) before it ran:\n${said}`));
  });
  await ready.promise;
}

function systemFile(
  system: string,
  directory: string,
  { hosts, rest }: { readonly hosts: readonly string[]; readonly rest: string },
): string {
  return [
    `system: ${system}`,
    'site: home',
    `hosts: [${hosts.join(', ')}]`,
    'stores:',
    '  disk:',
    '    kind: directory',
    `    path: ${path.join(directory, 'store')}`,
    rest,
    '',
  ].join('\n');
}

export async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8');
}
