/** What a host sees of itself as a standby: which site is active, what runs, and what is restored ahead. Changes nothing. */
import { createHash } from 'node:crypto';
import {
  isPrepared,
  unwatchedWords,
  whyVoid,
  type LiveMark,
  type PreparedNow,
  type PreparedPart,
} from '../../policy/failover/prepared.ts';
import { whyMayNotRun, type Standing } from '../../policy/failover/standing.ts';
import { failoverOf } from '../../sites/authority.ts';
import { readPrepared, type PreparedFile } from '../../sites/prepared-file.ts';
import { siteStanding } from '../../sites/standing.ts';
import { kindOf } from '../../sources/kinds/index.ts';
import type { ContainerFacts } from '../../docker/types.ts';
import type { Component, System } from '../../system/types.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { allContainers, isUp, projectOf } from '../../sites/system-containers.ts';
import { concernsDocker } from '../stack.ts';
import { serverIn } from '../stack-servers.ts';
import { engineIfNeeded } from '../stop-start.ts';
import type { StandbyLook } from '../standby-types.ts';
import { surveyUnits } from '../units.ts';

interface Asked {
  readonly system: string;
  readonly components: readonly string[];
}

export async function lookStandby(context: HostContext, asked: Asked, run: Run): Promise<StandbyLook> {
  const system = await context.system(asked.system);
  const standing = await siteStanding(system, { signal: run.signal });
  const active = ['active', 'unclear', 'handed'].includes(standing.kind);
  const refused =
    whyNoStandby(system, standing, await runningHere(context, system, asked.components, run)) ??
    (await whyUnwatched(context, system, asked.components));
  const file = await readPrepared(system.name);
  if (file === undefined) return { active, prepared: [], ...(refused === undefined ? {} : { refused }) };
  const why = await whyFileVoid(context, system, { file, standing }, run);
  return {
    active,
    ...(refused === undefined ? {} : { refused }),
    ...(why === undefined ? { prepared: file.parts } : { prepared: [], void: why }),
  };
}

/** Nothing is restored ahead where the live place may hold what the system lives by. */
export function whyNoStandby(system: System, standing: Standing, running: readonly string[]): string | undefined {
  if (standing.kind === 'active') return `${system.site} is the active site of ${system.name}`;
  if (standing.kind !== 'elsewhere') return whyMayNotRun(standing);
  return running.length === 0 ? undefined : `something of ${system.name} runs here: ${running.join(', ')}`;
}

/**
 * When what this host has restored ahead is all that a restore of these parts would bring: the restores that made containers
 * for it. Otherwise why not.
 */
export async function preparedHere(
  context: HostContext,
  system: System,
  parts: readonly PreparedPart[],
  run: Run,
): Promise<{ readonly made: readonly string[] } | { readonly void: string }> {
  failoverOf(system);
  const file = await readPrepared(system.name);
  if (file === undefined) return { void: 'nothing is restored ahead' };
  if (!isPrepared(parts, file.parts)) return { void: 'other backups are restored ahead' };
  const standing = await siteStanding(system, { signal: run.signal });
  const why = await whyFileVoid(context, system, { file, standing }, run);
  return why === undefined ? { made: file.restoreIds } : { void: why };
}

async function whyFileVoid(
  context: HostContext,
  system: System,
  { file, standing }: { file: PreparedFile; standing: Standing },
  run: Run,
): Promise<string | undefined> {
  if (standing.kind === 'none' || standing.kind === 'unreadable') {
    return whyMayNotRun(standing) ?? 'nobody knows which site is active';
  }
  const newest = { n: standing.n, site: standing.kind === 'elsewhere' ? standing.site : system.site };
  const names = Object.keys(file.marks);
  const gone = names.filter((name) => !system.components.some((one) => one.name === name));
  if (gone.length > 0) return `the system file knows no ${gone.join(', ')} any more`;
  return whyVoid(file, { site: system.site, newest, ...(await seenNow(context, system, names, run)) });
}

export async function seenNow(
  context: HostContext,
  system: System,
  names: readonly string[],
  run: Run,
): Promise<Pick<PreparedNow, 'marks' | 'containers' | 'running'>> {
  const marks: Record<string, LiveMark> = {};
  const stack = await stackHere(context, system, names);
  const unwatched = await dumpsOutside(context, system, names, stack);
  for (const name of names) {
    const mark = await markOf(context, system, componentOf(system, name), run);
    marks[name] = unwatched.includes(name) ? { ...mark, unwatched: true } : mark;
  }
  const told = stack.map(({ id, startedAt }) => `${id} ${startedAt}`).toSorted();
  return {
    marks,
    containers: createHash('sha256').update(told.join('\n')).digest('hex'),
    running: await runningHere(context, system, names, run),
  };
}

async function markOf(context: HostContext, system: System, component: Component, run: Run): Promise<LiveMark> {
  // In a server that is down; its container says whether it was started since. Of any other server see `dumpsOutside`.
  if (component.kind === 'postgres' && component.method === 'dump') return { exists: true };
  const live = await kindOf(component.kind).inspect(component, context.kindContext(system, run));
  return {
    exists: live.exists,
    ...(live.sizeBytes === undefined ? {} : { sizeBytes: live.sizeBytes }),
    ...(live.newestChangeMs === undefined ? {} : { newestChangeMs: live.newestChangeMs }),
  };
}

/** Before anything is restored into it: a stack that is not here yet may bring the server with it. */
async function whyUnwatched(
  context: HostContext,
  system: System,
  names: readonly string[],
): Promise<string | undefined> {
  const stack = await stackHere(context, system, names);
  if (stack.length === 0 && projectOf(system) !== undefined) return undefined;
  const outside = await dumpsOutside(context, system, names, stack);
  return outside.length === 0 ? undefined : unwatchedWords(outside);
}

/** Dumps whose server is none of these containers, so that it runs on and takes what anybody writes. */
async function dumpsOutside(
  context: HostContext,
  system: System,
  names: readonly string[],
  stack: readonly ContainerFacts[],
): Promise<string[]> {
  const outside: string[] = [];
  for (const component of names.map((name) => componentOf(system, name))) {
    if (component.kind !== 'postgres' || component.method !== 'dump') continue;
    const servers = stack.length === 0 ? [] : await serverIn(context.docker(), stack, component.server);
    if (servers.length === 0) outside.push(component.name);
  }
  return outside;
}

/** Containers of the stack and units of the system that are up here; a server that is no part of the stack may run. */
async function runningHere(
  context: HostContext,
  system: System,
  names: readonly string[],
  run: Run,
): Promise<string[]> {
  const containers = (await stackHere(context, system, names)).filter(isUp).map(({ name }) => name);
  const units = (await surveyUnits(system, context.host, run.signal)).filter(({ ran }) => ran).map(({ name }) => name);
  return [...units, ...containers];
}

/** With the servers of dumps that are part of it. */
export async function stackHere(
  context: HostContext,
  system: System,
  names: readonly string[],
): Promise<ContainerFacts[]> {
  const components = names.map((name) => componentOf(system, name));
  if (!concernsDocker(system, components)) return [];
  return engineIfNeeded(system, components, async () => {
    const docker = context.docker();
    const own = projectOf(system);
    const ofProject = own === undefined ? [] : await docker.containersOf({ project: own });
    const beside = components.filter((one) => one.kind !== 'postgres' || one.method !== 'dump');
    const byId = new Map([...ofProject, ...(await allContainers(docker, system, beside))].map((one) => [one.id, one]));
    return [...byId.values()];
  });
}
