/** Stopping the stack for a restore, and starting what is to run after it, in order, until it is healthy. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { RESTORE_LABEL } from '../sources/kinds/volume-place.ts';
import { isPermitted, startPermit, type StartPermit } from '../sites/start-permit.ts';
import type { Component, System } from '../system/types.ts';
import { componentOf, type HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import { holdForRestore, letGo, letStart } from './start-at-site.ts';
import { concernsDocker, needsDocker, stackOf, surveyStack, type StackContainer } from './stack.ts';
import type { UrgentActivities } from './types.ts';
import { joined, startTheseUnits, stopTheseUnits, surveyUnits, unitEntrySchema, type UnitEntry } from './units.ts';

type Input<A extends keyof UrgentActivities> = Parameters<UrgentActivities[A]>[0];

const journalSchema = z.object({
  format: z.literal(1),
  containers: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      level: z.number(),
      stopSeconds: z.number(),
      ran: z.boolean(),
      starts: z.boolean(),
    }),
  ),
  units: z.array(unitEntrySchema).default([]),
});

interface Known {
  readonly containers: readonly StackContainer[];
  readonly units: readonly UnitEntry[];
}

const HEALTH_POLL_MS = 250;
const HEALTH_SECONDS = 120;
const LOG_LINES = 20;

function journalOf(context: HostContext, system: string, restoreId: string): string {
  return path.join(context.stateDirectory(system), 'restores', `${restoreId.replaceAll(/[^\w.-]/g, '_')}.json`);
}

async function readJournal(file: string): Promise<Known> {
  const found = await readJson(file);
  return found === undefined ? { containers: [], units: [] } : journalSchema.parse(found);
}

/** What is there is written down before the first of it is stopped: after a crash nobody could tell any more. */
export async function stopForRestore(
  context: HostContext,
  input: Input<'stopForRestore'>,
  run: Run,
): Promise<{ stopped: string[] }> {
  const system = await context.system(input.system);
  const components = input.components
    .map((name) => componentOf(system, name))
    .filter((one) => input.filled !== true || one.kind !== 'postgres' || one.method !== 'dump');
  const { restoreId, all = false } = input;
  await holdForRestore(system, { restoreId, takeover: all }, run.asker?.execution);
  const docker = context.docker();
  const stack = concernsDocker(system, components)
    ? await engineIfNeeded(system, components, () => stackOf(docker, system, components))
    : [];
  const surveyed = await surveyStack(docker, stack);
  const file = journalOf(context, system.name, input.restoreId);
  // What an earlier attempt has seen before it stopped anything counts more than what is seen now.
  const known = await readJournal(file);
  const added = surveyed.filter(
    ({ id, starts }) => (starts || input.all === true) && !known.containers.some((container) => container.id === id),
  );
  const containers = [...known.containers, ...added.map((one) => ({ ...one, starts: true }))];
  const seen = await surveyUnits(system, context.host, run.signal, { all: input.all === true });
  const units = joined(known.units, seen);
  if (containers.length + units.length > 0) await writeDurably(file, { format: 1, containers, units });

  await stopTheseUnits(seen, run);
  const permit = startPermit(system, run.signal);
  const up = surveyed.filter(({ ran }) => ran);
  for (const level of [...new Set(up.map((container) => container.level))].sort((a, b) => a - b)) {
    run.signal.throwIfAborted();
    const now = up.filter((container) => container.level === level);
    run.report({ phase: `stop: ${now.map(({ name }) => name).join(', ')}` });
    await Promise.all(now.map((container) => stopOne(docker, stack, container, permit)));
  }
  const stopped = [...units.filter(({ stops }) => stops), ...containers].filter(({ ran }) => ran);
  return { stopped: stopped.map(({ name }) => name) };
}

/** Files and SQLite files can live on a machine without an engine; then nothing in containers uses them. */
export async function engineIfNeeded(
  system: System,
  components: readonly Component[],
  look: () => Promise<ContainerFacts[]>,
): Promise<ContainerFacts[]> {
  try {
    return await look();
  } catch (error) {
    const absent = error instanceof HoldfastError && error.code === 'DockerUnreachable';
    if (absent && !needsDocker(system, components)) return [];
    throw error;
  }
}

async function stopOne(
  docker: DockerHost,
  stack: readonly ContainerFacts[],
  container: StackContainer,
  permit: StartPermit,
): Promise<void> {
  if (stack.find(({ id }) => id === container.id)?.state !== 'paused') {
    await docker.stop(container.id, container.stopSeconds);
    return;
  }
  // A paused process can't hear its stop signal and would be killed after the whole patience. Where it may not run, it is.
  const mayRun = await isPermitted(permit);
  if (mayRun) await docker.unpause(container.id);
  await docker.stop(container.id, mayRun ? container.stopSeconds : 0);
}

/**
 * Starts what is to be up after the restore, among it what the restore made anew, or with `asBefore` only what ran before
 * it. None of it: nothing is done. The journal goes when all of it is healthy.
 */
export async function startAfterRestore(
  context: HostContext,
  input: Input<'startAfterRestore'>,
  run: Run,
): Promise<{ started: string[] }> {
  const system = await context.system(input.system);
  const file = journalOf(context, system.name, input.restoreId);
  const { containers: known, units } = await readJournal(file);
  const makers = [input.restoreId, ...(input.alsoMadeBy ?? [])];
  const made = input.asBefore === true ? [] : await madeBy(context, system, makers);
  const all = [...known, ...made.filter(({ id }) => !known.some((container) => container.id === id))];
  // Written down first: what was made is `created` only until it is started.
  if (all.length + units.length > 0) await writeDurably(file, { format: 1, containers: all, units });
  const starting = input.asBefore === true ? all.filter(({ ran }) => ran) : all;
  const takeover = input.all === true;
  const order = { entries: units, restoreId: input.restoreId, asBefore: input.asBefore === true, takeover };
  if (input.stayDown === true) {
    await letGo(system, input.restoreId);
    await removeDurably(file);
    return { started: [] };
  }
  const nothing = starting.length + units.length === 0;
  if (!(await letStart(system, { ...order, nothing }, run))) {
    await removeDurably(file);
    return { started: [] };
  }
  const permit = startPermit(system, run.signal);
  for (const level of [...new Set(starting.map((container) => container.level))].sort((a, b) => b - a)) {
    const now = starting.filter((container) => container.level === level);
    await startLevel(context.docker(), now, { limitSeconds: healthSecondsOf(system), permit }, run);
  }
  const started = await startTheseUnits(context, system, order, run);
  await removeDurably(file);
  return { started: [...starting.map(({ name }) => name), ...started] };
}

async function madeBy(context: HostContext, system: System, makers: readonly string[]): Promise<StackContainer[]> {
  const stack = system.components.find((component) => component.kind === 'compose' && component.host === context.host);
  if (stack === undefined) return [];
  const docker = context.docker();
  const all = await stackOf(docker, system, [stack]);
  // Exited: a server that was started before the rest, and went down with the machine.
  const made = all.filter(
    ({ state, labels }) => ['created', 'exited'].includes(state) && makers.includes(labels[RESTORE_LABEL] ?? ''),
  );
  return (await surveyStack(docker, all)).filter(({ id }) => made.some((container) => container.id === id));
}

/** Healthy when it resolves. Throws Unhealthy, and what the permit throws: then that container stays down. */
export async function startLevel(
  docker: DockerHost,
  containers: readonly StackContainer[],
  { limitSeconds, permit }: { readonly limitSeconds: number; readonly permit: StartPermit },
  run: Run,
): Promise<void> {
  const present = await Promise.all(containers.map(async ({ id }) => (await docker.inspect(id)) !== undefined));
  const there = containers.filter((_, index) => present[index]);
  run.report({ phase: `start: ${there.map(({ name }) => name).join(', ')}` });
  await Promise.all(
    there.map(async ({ id }) => {
      await permit();
      await docker.start(id);
    }),
  );
  await Promise.all(there.map((container) => untilHealthy(docker, container, limitSeconds, run.signal)));
}

export function healthSecondsOf(system: System): number {
  const stack = system.components.find((component) => component.name === system.compose);
  return stack?.kind === 'compose' ? stack.healthTimeoutSeconds : HEALTH_SECONDS;
}

/** A container without a health check counts as healthy when it runs. Throws Unhealthy with the end of its log. */
export async function untilHealthy(
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
