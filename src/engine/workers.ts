/** The worker processes that `up` keeps running, and how one sees that they are at work. */
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';
import { HoldfastError } from '../failures.ts';
import { compileCacheDirectory } from '../system/cache.ts';
import { hostQueue, ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { addressText, type MetricsAddress } from './metrics-address.ts';
import { logFile } from './state.ts';
import { pidOf } from './process.ts';
import type { ChildSpec, Supervised } from './supervised.ts';

const WORKER = path.resolve(import.meta.dirname, '..', 'worker.ts');
const READY_LIMIT_MS = 90_000;
const POLL_MS = 150;
/** A worker that dies this often before it ever asked for work will not get better by itself. */
const DEATHS_AT_START = 4;
/** A worker that is stopped hands its activities back within this time. */
const STOP_LIMIT_MS = 30_000;

const { TaskQueueType } = proto.temporal.api.enums.v1;

/**
 * A host worker moves much data through short-lived buffers: without a limit on the young generation Node lets it grow
 * to hundreds of MiB before it looks. More than 2 MiB, or a later first look at the old generation, saves a tenth of the
 * processor time of many small files and costs 50 MiB. The old generations are bounded so that a leak ends the worker and
 * not the host.
 */
const NODE_OPTIONS = {
  orchestration: '--max-old-space-size=512',
  host: '--max-semi-space-size=2 --max-old-space-size=384',
} as const;

/**
 * The same for memory outside the JavaScript heap (mallopt(3)): glibc has an arena for each thread, in each of which freed
 * buffers stay. Two are enough. Buffers of a chunk come from them and are used again: mapped anew for each chunk, every
 * page of theirs would be made and zeroed by the kernel, a tenth of a capture's processor time. Other C libraries ignore
 * this.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(8 * 1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(8 * 1024 * 1024),
} as const;

/** A store on a mount that hangs holds a thread for each question: the others are there to tell of it. */
const JUDGING_THREADS = '16';

export interface WorkerPlace {
  readonly spec: ChildSpec;
  readonly queue: string;
  readonly queueType: temporal.api.enums.v1.TaskQueueType;
}

function workerSpec(name: string, role: keyof typeof NODE_OPTIONS, args: string[], names: string): ChildSpec {
  const options = [process.env['NODE_OPTIONS'], NODE_OPTIONS[role]].filter((part) => part !== undefined && part !== '');
  return {
    name,
    command: process.execPath,
    args: [WORKER, '--role', role, ...args],
    env: {
      ...process.env,
      ...(role === 'host' ? MALLOC : { UV_THREADPOOL_SIZE: JUDGING_THREADS, ...process.env }),
      NODE_OPTIONS: options.join(' '),
      ...(names === '' ? {} : { HOLDFAST_METRICS_NAMES: names }),
      // The environment reaches the threads as well: without it each strips and compiles its files for every capture.
      NODE_COMPILE_CACHE: compileCacheDirectory(),
    },
    logFile: logFile(name.replaceAll(' ', '-')),
    stopLimitMs: STOP_LIMIT_MS,
  };
}

/**
 * Where each of them shows its metrics: from the port that was asked for on upwards, or what HOLDFAST_METRICS says, or a
 * free port of its own.
 */
function metricsArguments(metrics: MetricsAddress | 'off' | undefined, place: number): string[] {
  if (metrics === undefined) return [];
  if (metrics === 'off') return ['--metrics', metrics];
  const { host, port } = metrics;
  return ['--metrics', addressText({ host, port: port === 0 ? 0 : port + place })];
}

/** One worker for the stories, one for each host that this machine is. */
export function workerPlaces(
  hosts: readonly string[],
  metrics?: MetricsAddress | 'off',
  metricsNames: readonly string[] = [],
): WorkerPlace[] {
  const names = [process.env['HOLDFAST_METRICS_NAMES'] ?? '', ...metricsNames].filter((name) => name !== '').join(',');
  return [
    {
      spec: workerSpec('worker', 'orchestration', metricsArguments(metrics, 0), names),
      queue: ORCHESTRATION_QUEUE,
      queueType: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    },
    ...hosts.map((host, index) => ({
      spec: workerSpec(`worker ${host}`, 'host', ['--host', host, ...metricsArguments(metrics, index + 1)], names),
      queue: hostQueue(host),
      queueType: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    })),
  ];
}

/** A worker names itself `<pid>@<machine>` to the server unless it is told otherwise. */
function isOwnPoller(identity: string | null | undefined, pid: number): boolean {
  return identity?.startsWith(`${pid}@${hostname()}`) === true;
}

/** Waits until that very process asks the server for work. Throws HostSilent with the place of its log. */
export async function waitUntilPolling(
  connection: Connection,
  namespace: string,
  place: WorkerPlace,
  child: Pick<Supervised, 'identity' | 'deaths'>,
  signal?: AbortSignal,
): Promise<void> {
  const end = Date.now() + READY_LIMIT_MS;
  while (Date.now() < end && child.deaths() < DEATHS_AT_START) {
    signal?.throwIfAborted();
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: place.queue },
      taskQueueType: place.queueType,
    });
    const identity = child.identity();
    if (identity !== undefined && pollers.some((poller) => isOwnPoller(poller.identity, pidOf(identity)))) return;
    await sleep(POLL_MS);
  }
  const what = child.deaths() > 0 ? `died ${child.deaths()} times while starting` : 'does not ask for work';
  throw new HoldfastError('HostSilent', `the ${place.spec.name} ${what}`, {
    hint: `Its log says why: ${place.spec.logFile}.`,
  });
}
