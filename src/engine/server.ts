/** The embedded Temporal server: how it is started, when it is ready, and what has to be registered in it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import type { ChildSpec } from './supervised.ts';
import { databaseFile, logFile } from './state.ts';

export const NAMESPACE = 'default';
const READY_LIMIT_MS = 90_000;
const CALL_LIMIT_MS = 5_000;
const POLL_MS = 100;
const STOP_LIMIT_MS = 20_000;

/**
 * The server's defaults are made for hundreds of shards on many machines. Here there is one shard, and its limit of 20
 * polls a second for each queue is what a short workflow waits for; one partition is enough for each task queue.
 */
const DYNAMIC_CONFIG: Readonly<Record<string, number>> = {
  'history.transferProcessorMaxPollRPS': 1000,
  'history.timerProcessorMaxPollRPS': 1000,
  'history.visibilityProcessorMaxPollRPS': 1000,
  'history.outboundProcessorMaxPollRPS': 1000,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
};

/**
 * Write-ahead log and a sync for every commit: nothing acknowledged is lost, neither by kill -9 nor by a power cut, and
 * a commit costs one sync instead of several.
 */
const PRAGMAS: Readonly<Record<string, string>> = { journal_mode: 'WAL', synchronous: 'FULL' };

export interface ServerPorts {
  readonly port: number;
  /** Undefined: no web interface. */
  readonly uiPort?: number;
  /** False: no schedule fires, whatever the database holds. Default true. */
  readonly fires?: boolean;
}

/** Processes of the server that work on schedules are not started (dynamic config of the server's worker role). */
const NO_SCHEDULER: Readonly<Record<string, boolean>> = { 'worker.enableScheduler': false };

export function serverArguments({ port, uiPort, fires = true }: ServerPorts): string[] {
  const pairs = (flag: string, values: Readonly<Record<string, string | number | boolean>>): string[] =>
    Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`]);
  return [
    ...['server', 'start-dev', '--log-level', 'error', '--log-format', 'json', '--color', 'never'],
    ...['--db-filename', databaseFile(), '--namespace', NAMESPACE],
    // Loopback only: the development server asks nobody who they are.
    ...['--ip', '127.0.0.1', '--port', String(port)],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)]),
    ...pairs('--sqlite-pragma', PRAGMAS),
    ...pairs('--dynamic-config-value', DYNAMIC_CONFIG),
    ...(fires ? [] : pairs('--dynamic-config-value', NO_SCHEDULER)),
  ];
}

export function serverSpec(binary: string, ports: ServerPorts): ChildSpec {
  return {
    name: 'server',
    command: binary,
    args: serverArguments(ports),
    // Settings of a person's own command line must not reach the server.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'))),
    logFile: logFile('server'),
    stopLimitMs: STOP_LIMIT_MS,
  };
}

async function serves(address: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: CALL_LIMIT_MS });
    const open = connection;
    await open.withDeadline(Date.now() + CALL_LIMIT_MS, () =>
      open.workflowService.describeNamespace({ namespace: NAMESPACE }),
    );
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}

/** Resolves when the server answers for its namespace. Throws when `isAlive` says that it has ended, or on the limit. */
export async function waitUntilServing(address: string, isAlive: () => boolean, signal?: AbortSignal): Promise<void> {
  const end = Date.now() + READY_LIMIT_MS;
  while (Date.now() < end) {
    signal?.throwIfAborted();
    if (!isAlive()) break;
    // Another program that answers on this port is not ours: the child would have ended for want of it.
    if ((await serves(address)) && isAlive()) return;
    await sleep(POLL_MS);
  }
  throw new HoldfastError('EngineUnreachable', `the Temporal server on ${address} did not come up`, {
    hint: `Its log says why: ${logFile('server')}.`,
  });
}
