/**
 * Starts one worker process and runs it until it is told to stop.
 *
 *   node src/worker.ts --role orchestration
 *   node src/worker.ts --role host --host NAME
 *
 * Where the server is, TEMPORAL_* and the engine of this machine say. SIGTERM and SIGINT end it gracefully.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createIncidentActivities } from './activities/incidents.ts';
import { createOrchestrationActivities } from './activities/describe.ts';
import {
  createCopyActivities,
  createHostActivities,
  createUrgentActivities,
  createWalActivities,
  releaseWhatWasLeft,
} from './activities/host.ts';
import { createHostContext } from './activities/host-context.ts';
import { workflowBundle } from './engine/bundle.ts';
import { engineTarget, type EngineTarget } from './engine/target.ts';
import { log } from './observe/log.ts';
import { copyQueue, hostQueue, ORCHESTRATION_QUEUE, urgentHostQueue, walQueue } from './task-queues.ts';

const logger = log('worker');

/** Activities get the first while to hand back what they hold; what is still stuck then ends with the process. */
const SHUTDOWN = { shutdownGraceTime: '3 seconds', shutdownForceTime: '25 seconds' } as const;
/** What a crash loses of the progress shown, and how soon a cancel arrives. */
const HEARTBEAT_THROTTLE = '2 seconds';
/** Two captures at once already make each other slower; more would only thrash the disks. */
const HOST_SLOTS = 2;
const URGENT_SLOTS = 8;
/** One for each PostgreSQL server whose log is received: each waits most of the time. */
const LOG_SLOTS = 64;
/** Targets that are written at once; each has a bound of its own on what is under way. */
const COPY_SLOTS = 4;
const CACHED_WORKFLOWS = 100;
const RELEASE_PAUSE_MS = 5_000;

type Common = Pick<WorkerOptions, 'connection' | 'namespace' | 'maxHeartbeatThrottleInterval'> & typeof SHUTDOWN;

interface Crew {
  readonly workers: readonly Worker[];
  /** What has to be done once they run, and what once they have ended. */
  readonly begun: (signal: AbortSignal) => Promise<void>;
  readonly ended: () => Promise<void>;
}

async function orchestration(common: Common, target: EngineTarget): Promise<Crew> {
  const connection = await Connection.connect(target.connectionOptions);
  const client = new Client({ connection, namespace: target.namespace });
  const worker = await Worker.create({
    ...common,
    taskQueue: ORCHESTRATION_QUEUE,
    workflowBundle: await workflowBundle(),
    activities: { ...createOrchestrationActivities({ client }), ...createIncidentActivities({ client }) },
    maxCachedWorkflows: CACHED_WORKFLOWS,
    // On one machine the next worker has to take over a dead one's stories soon.
    stickyQueueScheduleToStartTimeout: '5 seconds',
  });
  return { workers: [worker], begun: () => Promise.resolve(), ended: () => connection.close() };
}

async function host(common: Common, name: string): Promise<Crew> {
  const context = createHostContext(name);
  const long = await Worker.create({
    ...common,
    taskQueue: hostQueue(name),
    activities: createHostActivities(context),
    maxConcurrentActivityTaskExecutions: HOST_SLOTS,
  });
  const urgent = await Worker.create({
    ...common,
    taskQueue: urgentHostQueue(name),
    activities: createUrgentActivities(context),
    maxConcurrentActivityTaskExecutions: URGENT_SLOTS,
  });
  const logs = await Worker.create({
    ...common,
    taskQueue: walQueue(name),
    activities: createWalActivities(context),
    maxConcurrentActivityTaskExecutions: LOG_SLOTS,
  });
  const copies = await Worker.create({
    ...common,
    taskQueue: copyQueue(name),
    activities: createCopyActivities(context),
    maxConcurrentActivityTaskExecutions: COPY_SLOTS,
  });
  const begun = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      try {
        const released = await releaseWhatWasLeft(context, signal);
        if (released.length > 0) logger.warn({ released }, 'released what the last worker of this host had left');
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ err: error }, 'what the last worker of this host left could not be released; it is tried again');
        await sleep(RELEASE_PAUSE_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  return { workers: [long, urgent, logs, copies], begun, ended: () => context.close() };
}

function readArguments(): { role: 'orchestration' } | { role: 'host'; host: string } {
  const { values } = parseArgs({ options: { role: { type: 'string' }, host: { type: 'string' } } });
  if (values.role === 'orchestration') return { role: 'orchestration' };
  if (values.role === 'host' && values.host !== undefined && values.host !== '') {
    return { role: 'host', host: values.host };
  }
  throw new Error('usage: worker.ts --role orchestration | --role host --host NAME');
}

function installRuntime(): void {
  const sdkLogger = new DefaultLogger('WARN', ({ level, message, meta }) => {
    const severe = level === 'ERROR' ? 'error' : 'warn';
    logger[severe]({ ...meta }, message);
  });
  Runtime.install({ logger: sdkLogger });
}

async function main(): Promise<void> {
  const asked = readArguments();
  installRuntime();
  // A promise that nobody waited for any more, of an activity that has ended, must not take the others with it. What is
  // thrown outside any promise still does: then nothing is known of the process's state.
  process.on('unhandledRejection', (reason) => logger.error({ err: reason }, 'a rejection that nobody waited for'));
  const target = engineTarget();
  const connection = await NativeConnection.connect(target.connectionOptions);
  const common: Common = {
    connection,
    namespace: target.namespace,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    ...SHUTDOWN,
  };
  const crew = asked.role === 'host' ? await host(common, asked.host) : await orchestration(common, target);
  const running = Promise.all(crew.workers.map((worker) => worker.run()));
  // From here on a signal ends it gracefully, so that whoever waits for this line may send one.
  logger.info({ ...asked, address: target.address, namespace: target.namespace }, 'worker runs');
  const over = new AbortController();
  const begun = crew.begun(over.signal);
  try {
    await running;
  } finally {
    over.abort();
  }
  await begun;
  await crew.ended();
  await connection.close();
  logger.info(asked, 'worker ended');
}

// A worker that can't stop, or whose run was refused, is of no use: its supervisor starts a new one.
main().then(
  () => process.exit(0),
  (error: unknown) => {
    logger.fatal({ err: error }, 'worker failed');
    process.exit(1);
  },
);
