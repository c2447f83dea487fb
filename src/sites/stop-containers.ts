/**
 * Containers of a stack are stopped whatever the engine does: each is waited for beside the others, what has not ended in good
 * time is killed by the engine, and then, by its control group, without it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { stopSeconds } from '../docker/freeze-plan.ts';
import { stopLevels } from '../docker/order.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { log } from '../observe/log.ts';
import { bootClockMs } from './boot-clock.ts';
import { killContainerProcesses } from './kill-processes.ts';
import { raced } from './raced.ts';
import { isUp } from './system-containers.ts';

/** By the boot clock. */
export interface StopTimes {
  /** Until then what runs may end by itself. */
  readonly patientUntilMs: number;
  /** What runs then is killed without asking anybody. */
  readonly killAtMs: number;
}

/** So much of the time to stop is for what ends by itself, and so much until nobody is asked any more. */
const PATIENCE = 0.7;
const LAST = 0.85;
/** An engine that takes longer to say what runs is not waited for. */
const LIST_SHARE = 0.25;
const LEAST_LIST_MS = 1000;
/** An engine or a manager that works gets at least so long to kill what is overdue. */
const LEAST_MS = 2000;

export function stopTimes(withinMs: number): StopTimes {
  const nowMs = bootClockMs();
  // Whole ones: no timer of Node's takes a part of a millisecond.
  return {
    patientUntilMs: Math.round(nowMs + withinMs * PATIENCE),
    killAtMs: Math.round(nowMs + Math.max(withinMs * LAST, LEAST_MS)),
  };
}

interface Stopping {
  readonly docker: DockerHost;
  readonly list: () => Promise<readonly ContainerFacts[]>;
  /** Those that were there when it was last seen: by these it is killed when the engine can't say. */
  readonly knownIds: readonly string[];
}

/**
 * What depends on others first. Resolves within the times when each was stopped or killed; throws DockerUnreachable when the
 * engine does not say what runs: then the processes of what was known are killed.
 */
export async function stopContainers(
  { docker, list, knownIds }: Stopping,
  { patientUntilMs, killAtMs }: StopTimes,
  signal: AbortSignal,
): Promise<void> {
  const listMs = Math.max(LEAST_LIST_MS, Math.round((patientUntilMs - bootClockMs()) * LIST_SHARE));
  const containers = await raced(list(), AbortSignal.any([signal, AbortSignal.timeout(listMs)])).catch(
    async (cause: unknown) => {
      signal.throwIfAborted();
      const killed = await killContainerProcesses(knownIds);
      const told = `the engine does not answer; ${killed} processes were killed`;
      throw new HoldfastError('DockerUnreachable', told, { cause });
    },
  );
  const up = containers.filter(isUp);
  const levels = stopLevels(containers);
  const left = new Set(up.map(({ id }) => id));
  const stops: Promise<void>[] = [];
  for (const level of descending(up.map(({ id }) => levels.get(id) ?? 0)).toReversed()) {
    signal.throwIfAborted();
    const ofLevel = up.filter(({ id }) => (levels.get(id) ?? 0) === level);
    stops.push(
      ...ofLevel.map(async (one) => {
        await stopOne(docker, one, patientUntilMs);
        left.delete(one.id);
      }),
    );
    // One that does not end keeps none of the others up.
    await byThen(stops, patientUntilMs);
  }
  await byThen(stops, killAtMs);
  signal.throwIfAborted();
  if (left.size === 0) return;
  const killed = await killContainerProcesses([...left]);
  log('sites').warn({ containers: left.size, processes: killed }, 'the engine did not stop them in time: killed');
}

async function stopOne(docker: DockerHost, { id, state }: ContainerFacts, untilMs: number): Promise<void> {
  // What is paused hears no signal: it would be killed after the whole patience.
  const patience = state === 'paused' ? 0 : stopSeconds(await docker.describe(id));
  const leftSeconds = Math.max(0, Math.floor((untilMs - bootClockMs()) / 1000));
  await docker.stop(id, Math.min(patience, leftSeconds));
}

/** Resolves when all have come to an end, whichever, or the time has come. */
async function byThen(all: readonly Promise<void>[], untilMs: number): Promise<void> {
  const over = new AbortController();
  const time = sleep(Math.max(0, untilMs - bootClockMs()), undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([Promise.allSettled(all), time]);
  over.abort();
}

export function descending(levels: readonly number[]): number[] {
  return [...new Set(levels)].toSorted((one, other) => other - one);
}
