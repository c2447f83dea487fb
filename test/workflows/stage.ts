/** A Temporal server, a worker and a scripted world for tests of workflows: every activity is small, real and counted. */
import { randomUUID } from 'node:crypto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../src/engine/bundle.ts';
import { registerSearchAttributes } from '../../src/engine/register.ts';
import { findTemporal } from '../../src/engine/tools.ts';
import { copyQueue, hostQueue, ORCHESTRATION_QUEUE, urgentHostQueue, walQueue } from '../../src/task-queues.ts';
import { HOST, type World } from './world.ts';

const QUIET = new DefaultLogger('ERROR', () => undefined);

/** Once a process, before the first server: the core's warnings about failures that tests cause on purpose are noise. */
export function quietRuntime(): void {
  try {
    Runtime.install({ logger: QUIET, telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } } });
  } catch {
    // Another test file of the same process was first.
  }
}

export async function devServer(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  const binary = await findTemporal();
  if (binary === undefined) throw new Error('No Temporal server binary: run `npm run setup`.');
  const env = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'existing-path', path: binary.path }, log: { format: 'json', level: 'error' } },
  });
  await registerAttributes(env);
  return env;
}

export async function registerAttributes(env: TestWorkflowEnvironment): Promise<void> {
  await registerSearchAttributes(env.connection, env.namespace ?? 'default');
}

type Role = 'orchestration' | 'host' | 'urgent' | 'wal' | 'copy';

export interface Crew {
  /** Stops one of the workers, as when its process ends. */
  stop(who: Role): Promise<void>;
  start(who: Role): Promise<void>;
  close(): Promise<void>;
}

/** The workers of one host, on the world's own activities; those of a second host need no orchestration of their own. */
export async function crew(
  env: TestWorkflowEnvironment,
  world: World,
  host = HOST,
  roles: readonly Role[] = ['orchestration', 'host', 'urgent', 'wal', 'copy'],
): Promise<Crew> {
  const running = new Map<Role, { worker: Worker; done: Promise<void> }>();
  const start = async (role: Role): Promise<void> => {
    const worker = await makeWorker(env, world, role, host);
    running.set(role, { worker, done: worker.run() });
  };
  const stop = async (role: Role): Promise<void> => {
    const one = running.get(role);
    running.delete(role);
    one?.worker.shutdown();
    await one?.done;
  };
  for (const role of roles) await start(role);
  return {
    start,
    stop,
    close: async () => {
      await Promise.all([...running.keys()].map(stop));
    },
  };
}

async function makeWorker(env: TestWorkflowEnvironment, world: World, role: Role, host: string): Promise<Worker> {
  const common = { connection: env.nativeConnection, namespace: env.namespace ?? 'default' };
  const quick = {
    shutdownGraceTime: 0,
    shutdownForceTime: '20 seconds',
    maxHeartbeatThrottleInterval: '200 ms',
  } as const;
  switch (role) {
    case 'orchestration':
      return Worker.create({
        ...common,
        ...quick,
        taskQueue: ORCHESTRATION_QUEUE,
        workflowBundle: await workflowBundle(),
        activities: world.orchestration(env.client),
      });
    case 'host':
      return Worker.create({ ...common, ...quick, taskQueue: hostQueue(host), activities: world.host() });
    case 'urgent':
      return Worker.create({ ...common, ...quick, taskQueue: urgentHostQueue(host), activities: world.urgent() });
    case 'wal':
      return Worker.create({ ...common, ...quick, taskQueue: walQueue(host), activities: world.wal() });
    case 'copy':
      return Worker.create({ ...common, ...quick, taskQueue: copyQueue(host), activities: world.copies() });
  }
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** Polls until `look` gives something; the limit is generous because machines are slow and busy. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const until = Date.now() + 60_000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > until) throw new Error(`Waited 60 s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
