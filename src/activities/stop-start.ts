/** Stopping the stack for a restore, and starting exactly what ran before, in order, until it is healthy. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { RESTORE_LABEL } from '../sources/kinds/volume-place.ts';
import type { System } from '../system/types.ts';
import { componentOf, type HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import { concernsDocker, stackOf, withLevels, type StackContainer } from './stack.ts';
import type { UrgentActivities } from './types.ts';

type Input<A extends keyof UrgentActivities> = Parameters<UrgentActivities[A]>[0];

const journalSchema = z.object({
  format: z.literal(1),
  containers: z.array(z.object({ id: z.string(), name: z.string(), level: z.number(), stopSeconds: z.number() })),
});

const HEALTH_POLL_MS = 250;
const HEALTH_SECONDS = 120;
const LOG_LINES = 20;

function journalOf(context: HostContext, system: string, restoreId: string): string {
  return path.join(context.stateDirectory(system), 'restores', `${restoreId.replaceAll(/[^\w.-]/g, '_')}.json`);
}

async function readStopped(file: string): Promise<StackContainer[]> {
  const found = await readJson(file);
  return found === undefined ? [] : journalSchema.parse(found).containers;
}

/** What runs is written down before the first of it is stopped: after a crash nobody could tell any more. */
export async function stopForRestore(
  context: HostContext,
  input: Input<'stopForRestore'>,
  run: Run,
): Promise<{ stopped: string[] }> {
  const system = await context.system(input.system);
  const components = input.components.map((name) => componentOf(system, name));
  const file = journalOf(context, system.name, input.restoreId);
  const known = await readStopped(file);
  const running = concernsDocker(system, components) ? await runningOf(context, system, input.components) : [];
  const added = await withLevels(context.docker(), running);
  const all = [...known, ...added.filter(({ id }) => !known.some((container) => container.id === id))];
  if (all.length === 0) return { stopped: [] };
  await writeDurably(file, { format: 1, containers: all });
  for (const level of [...new Set(added.map((container) => container.level))].sort((a, b) => a - b)) {
    run.signal.throwIfAborted();
    const now = added.filter((container) => container.level === level);
    run.report({ phase: `stop: ${now.map(({ name }) => name).join(', ')}` });
    await Promise.all(now.map(({ id, stopSeconds }) => stopOne(context.docker(), running, id, stopSeconds)));
  }
  return { stopped: all.map(({ name }) => name) };
}

async function runningOf(context: HostContext, system: System, names: readonly string[]): Promise<ContainerFacts[]> {
  const components = names.map((name) => componentOf(system, name));
  try {
    const stack = await stackOf(context.docker(), system, components);
    return stack.filter(({ state }) => ['running', 'paused', 'restarting'].includes(state));
  } catch (error) {
    // Files and SQLite files can live on a machine without an engine; then nothing in containers uses them.
    const absent = error instanceof HoldfastError && error.code === 'DockerUnreachable';
    const bound =
      system.compose !== undefined || components.some(({ kind }) => kind === 'volume' || kind === 'compose');
    const used = components.some((component) => component.kind === 'sqlite' && component.usedBy.length > 0);
    if (absent && !bound && !used) return [];
    throw error;
  }
}

async function stopOne(
  docker: DockerHost,
  running: readonly ContainerFacts[],
  id: string,
  stopSeconds: number,
): Promise<void> {
  // A paused process can't hear its stop signal and would be killed after the whole patience.
  if (running.find((container) => container.id === id)?.state === 'paused') await docker.unpause(id);
  await docker.stop(id, stopSeconds);
}

/**
 * Starts what stopForRestore stopped, and what this restore made anew. Neither: nothing is done. The journal goes when
 * all of it is healthy.
 */
export async function startAfterRestore(
  context: HostContext,
  input: Input<'startAfterRestore'>,
  run: Run,
): Promise<{ started: string[] }> {
  const system = await context.system(input.system);
  const file = journalOf(context, system.name, input.restoreId);
  const stopped = await readStopped(file);
  const made = await madeBy(context, system, input.restoreId);
  const known = new Set(stopped.map(({ id }) => id));
  const all = [...stopped, ...made.filter(({ id }) => !known.has(id))];
  // Written down first: what was made is `created` only until it is started.
  if (all.length > 0) await writeDurably(file, { format: 1, containers: all });
  for (const level of [...new Set(all.map((container) => container.level))].sort((a, b) => b - a)) {
    await startLevel(
      context.docker(),
      all.filter((container) => container.level === level),
      healthSecondsOf(system),
      run,
    );
  }
  await removeDurably(file);
  return { started: all.map(({ name }) => name) };
}

async function madeBy(context: HostContext, system: System, restoreId: string): Promise<StackContainer[]> {
  const stack = system.components.find((component) => component.kind === 'compose' && component.host === context.host);
  if (stack === undefined) return [];
  const docker = context.docker();
  const all = await stackOf(docker, system, [stack]);
  const made = all.filter(({ state, labels }) => state === 'created' && labels[RESTORE_LABEL] === restoreId);
  const leveled = await withLevels(docker, all);
  return leveled.filter(({ id }) => made.some((container) => container.id === id));
}

async function startLevel(
  docker: DockerHost,
  containers: readonly StackContainer[],
  limitSeconds: number,
  run: Run,
): Promise<void> {
  const present = await Promise.all(containers.map(async ({ id }) => (await docker.inspect(id)) !== undefined));
  const there = containers.filter((_, index) => present[index]);
  run.report({ phase: `start: ${there.map(({ name }) => name).join(', ')}` });
  await Promise.all(there.map(({ id }) => docker.start(id)));
  await Promise.all(there.map((container) => untilHealthy(docker, container, limitSeconds, run.signal)));
}

function healthSecondsOf(system: System): number {
  const stack = system.components.find((component) => component.name === system.compose);
  return stack?.kind === 'compose' ? stack.healthTimeoutSeconds : HEALTH_SECONDS;
}

/** A container without a health check counts as healthy when it runs. Throws Unhealthy with the end of its log. */
async function untilHealthy(
  docker: DockerHost,
  container: StackContainer,
  limitSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + limitSeconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    const facts = await docker.inspect(container.id);
    if (facts === undefined) return;
    if (facts.state === 'running' && (facts.health === 'healthy' || facts.health === 'none')) return;
    // A task that runs to its end is no service: it has done its part.
    if (facts.state === 'exited' && facts.health === 'none' && (await endedWell(docker, container.id))) return;
    if (performance.now() > end) {
      const tail = await docker.logTail(container.id, LOG_LINES).catch(() => '');
      throw new HoldfastError(
        'Unhealthy',
        `${container.name} is ${facts.state}, health ${facts.health}, after ${limitSeconds} s: ${tail.trim()}`,
      );
    }
    await sleep(HEALTH_POLL_MS, undefined, { signal });
  }
}

async function endedWell(docker: DockerHost, id: string): Promise<boolean> {
  return (await docker.describe(id))?.State.ExitCode === 0;
}
