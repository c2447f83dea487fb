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
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createIncidentActivities } from './activities/incidents.ts';
import { createOrchestrationActivities } from './activities/describe.ts';
import {
  createCopyActivities,
  createHostActivities,
  createUrgentActivities,
  createWalActivities,
  releaseWhatWasLeft,
} from './activities/host.ts';
import { clearLeftDrills } from './activities/drill/left.ts';
import { stopFencedStacks } from './activities/fenced-stacks.ts';
import { createHostContext, type HostContext } from './activities/host-context.ts';
import { workflowBundle } from './engine/bundle.ts';
import { parseMetricsAddress, type MetricsAddress } from './engine/metrics-address.ts';
import { installRuntime } from './engine/sdk-runtime.ts';
import { Repeated } from './engine/repeated.ts';
import { engineTarget, type EngineTarget } from './engine/target.ts';
import { paceOf } from './metrics/collector.ts';
import { sdkExporter, type SdkExporter } from './metrics/sdk-metrics.ts';
import { startMetrics, type RunningMetrics } from './metrics/start.ts';
import { bindLog, log } from './observe/log.ts';
import { copyQueue, hostQueue, ORCHESTRATION_QUEUE, urgentHostQueue, walQueue } from './task-queues.ts';
import { HOLDFAST_VERSION } from './vault/version.ts';

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
const CONNECT_PAUSE_MS = 2_000;
/** How soon a site that comes back stops what another one has taken over. */
const FENCED_LOOK_MS = 5_000;

type Common = Pick<WorkerOptions, 'maxHeartbeatThrottleInterval'> &
  typeof SHUTDOWN & { readonly connection: NativeConnection; readonly namespace: string };

interface Crew {
  readonly workers: readonly Worker[];
  /** Of the crew that knows every system. */
  readonly client?: Client;
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
  return { workers: [worker], client, begun: () => Promise.resolve(), ended: () => connection.close() };
}

interface Fencing {
  readonly context: HostContext;
  readonly looks: Repeated;
}

/** Before anything else, and again and again: the engine may be away for long, and what another site has taken over is stopped first. */
async function fenceFirst(name: string): Promise<Fencing> {
  const context = createHostContext(name);
  const looks = new Repeated({
    firstAfterMs: FENCED_LOOK_MS,
    everyMs: FENCED_LOOK_MS,
    turn: (signal) => stopFencedStacks(context, signal),
    failed: (error) => logger.error({ err: error }, 'whether stacks may run here could not be looked at'),
  });
  await stopFencedStacks(context, looks.signal);
  looks.start();
  return { context, looks };
}

async function host(common: Common, name: string, { context, looks }: Fencing): Promise<Crew> {
  const client = new Client({ connection: common.connection, namespace: common.namespace });
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
        const cleared = await clearLeftDrills(context, client, signal);
        if (cleared.length > 0) logger.warn({ cleared }, 'removed what drills had left that are over');
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ err: error }, 'what the last worker of this host left could not be released; it is tried again');
        await sleep(RELEASE_PAUSE_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  };
  const ended = async (): Promise<void> => {
    await looks.stop();
    await context.close();
  };
  return { workers: [long, urgent, logs, copies], begun, ended };
}

interface Asked {
  readonly role: 'orchestration' | 'host';
  readonly host?: string;
  /** Undefined: no metrics are shown. */
  readonly metrics?: MetricsAddress;
}

const USAGE = 'worker.ts --role orchestration | --role host --host NAME [--metrics [ADDRESS:]PORT | off]';

function readArguments(): Asked {
  const { values } = parseArgs({
    options: { role: { type: 'string' }, host: { type: 'string' }, metrics: { type: 'string' } },
  });
  const address = parseMetricsAddress(values.metrics ?? process.env['HOLDFAST_METRICS']);
  const metrics = address === undefined ? {} : { metrics: address };
  if (values.role === 'orchestration') return { role: 'orchestration', ...metrics };
  if (values.role === 'host' && values.host !== undefined && values.host !== '') {
    return { role: 'host', host: values.host, ...metrics };
  }
  throw new Error(`usage: ${USAGE}`);
}

/** Backups matter more than their metrics: an address that can't be had is told, and the work goes on. */
async function showMetrics(
  asked: Asked,
  crew: Crew,
  sdk: SdkExporter | undefined,
): Promise<RunningMetrics | undefined> {
  const { role, host, metrics } = asked;
  if (metrics === undefined) return undefined;
  try {
    return await startMetrics({
      name: { role, ...(host === undefined ? {} : { host }) },
      address: metrics,
      version: HOLDFAST_VERSION,
      pace: paceOf(process.env),
      ...(sdk === undefined ? {} : { sdkUrl: sdk.url }),
      ...(crew.client === undefined ? {} : { client: crew.client }),
    });
  } catch (error) {
    logger.error({ err: error }, 'the metrics are not shown');
    return undefined;
  }
}

/** A host's worker goes on looking which stacks may run, however long the engine is away: it does not end for that. */
async function connected({ connectionOptions }: EngineTarget, patient: boolean): Promise<NativeConnection> {
  for (;;) {
    try {
      return await NativeConnection.connect(connectionOptions);
    } catch (error) {
      if (!patient) throw error;
      logger.error({ err: error }, 'the engine does not answer: it is asked again');
      await sleep(CONNECT_PAUSE_MS);
    }
  }
}

async function main(): Promise<void> {
  const asked = readArguments();
  const { role, host: hostName } = asked;
  bindLog({ role, ...(hostName === undefined ? {} : { host: hostName }) });
  const sdk = asked.metrics === undefined ? undefined : await sdkExporter();
  installRuntime(sdk?.options);
  // A promise that nobody waited for any more, of an activity that has ended, must not take the others with it. What is
  // thrown outside any promise still does: then nothing is known of the process's state.
  process.on('unhandledRejection', (reason) => logger.error({ err: reason }, 'a rejection that nobody waited for'));
  const fencing = hostName === undefined ? undefined : await fenceFirst(hostName);
  const target = engineTarget();
  const connection = await connected(target, fencing !== undefined);
  const common: Common = {
    connection,
    namespace: target.namespace,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    ...SHUTDOWN,
  };
  const crew =
    hostName === undefined || fencing === undefined
      ? await orchestration(common, target)
      : await host(common, hostName, fencing);
  const running = Promise.all(crew.workers.map((worker) => worker.run()));
  // From here on a signal ends it gracefully, so that whoever waits for this line may send one.
  logger.info({ address: target.address, namespace: target.namespace }, 'worker runs');
  const metrics = await showMetrics(asked, crew, sdk);
  const over = new AbortController();
  const begun = crew.begun(over.signal);
  try {
    await running;
  } finally {
    over.abort();
  }
  await begun;
  await metrics?.close();
  await crew.ended();
  await connection.close();
  logger.info('worker ended');
}

// A worker that can't stop, or whose run was refused, is of no use: its supervisor starts a new one.
main().then(
  () => process.exit(0),
  (error: unknown) => {
    logger.fatal({ err: error }, 'worker failed');
    process.exit(1);
  },
);
