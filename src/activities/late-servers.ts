/**
 * Database servers that come back with their stack: what is dumped out of them can only be restored when they are up, and
 * what uses them is started after that.
 */
import { withDependencies } from '../docker/order.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { portInside, serverContainer } from '../policy/drill-servers.ts';
import { serverContainers } from '../postgres/place.ts';
import type { KindContext } from '../sources/kinds/component.ts';
import { parseInventory, type Inventory } from '../sources/kinds/compose-inventory.ts';
import { readJsonArtifact } from '../sources/kinds/json-artifact.ts';
import { artifactNamed } from '../sources/kinds/volume-facts.ts';
import { RESTORE_LABEL } from '../sources/kinds/volume-place.ts';
import type { Component, ComposeComponent, PostgresDumpComponent, System } from '../system/types.ts';
import type { PartSource } from '../workflows/contract.ts';
import type { LateServer } from '../workflows/restore-late-contract.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { openServer, untilReady } from './own-server.ts';
import type { Run } from './shell.ts';
import { readPreparing } from '../sites/prepared-file.ts';
import { startPermit, type StartPermit } from '../sites/start-permit.ts';
import { requireMayRun, siteStanding } from '../sites/standing.ts';
import { isUp } from '../sites/system-containers.ts';
import { surveyStack } from './stack.ts';
import { serverIn } from './stack-servers.ts';
import { healthSecondsOf, startLevel } from './stop-start.ts';
import type { UrgentActivities } from './types.ts';

type Input<A extends keyof UrgentActivities> = Parameters<UrgentActivities[A]>[0];
type Part = Pick<PartSource, 'store' | 'manifestKey'> & { readonly component: Component };

/** Of the parts of a restore in place on this host: those whose server no container is yet, and a part brings. */
export async function lateServers(
  context: HostContext,
  system: System,
  parts: readonly Part[],
  run: Run,
): Promise<LateServer[]> {
  const here = parts.filter(({ component }) => component.host === context.host);
  const found: LateServer[] = [];
  for (const part of here) {
    const { component: stack } = part;
    if (stack.kind !== 'compose') continue;
    const dumps = here.flatMap(({ component }) => (isDump(component) ? [component] : []));
    const absent = await withoutServer(context, stack, dumps);
    if (absent.length === 0) continue;
    const inventory = await inventoryOf(context, system, part, run);
    if (inventory === undefined) continue;
    for (const { name: component, server } of absent) {
      const container = serverContainer(server, stack.project, inventory.containers);
      if (container !== undefined) found.push({ component, stack: stack.name, service: container.service });
    }
  }
  return found;
}

function isDump(component: Component): component is PostgresDumpComponent {
  return component.kind === 'postgres' && component.method === 'dump';
}

async function withoutServer(
  context: HostContext,
  stack: ComposeComponent,
  dumps: readonly PostgresDumpComponent[],
): Promise<PostgresDumpComponent[]> {
  if (dumps.length === 0) return [];
  const docker = context.docker();
  const hasStack = (await docker.containersOf({ project: stack.project })).length > 0;
  const absent: PostgresDumpComponent[] = [];
  for (const one of dumps) {
    const isThere =
      one.server.tools.kind === 'host' ? hasStack : (await serverContainers(one.server, docker)).length > 0;
    if (!isThere) absent.push(one);
  }
  return absent;
}

/** Undefined where it has to be thawed first: then the server can't be known yet. */
async function inventoryOf(
  context: HostContext,
  system: System,
  { store, manifestKey, component }: Part,
  { signal }: Run,
): Promise<Inventory | undefined> {
  try {
    return await context.withReader(system, store, async (vault) => {
      const artifacts = await (await vault.open(manifestKey)).artifacts(component.name);
      return parseInventory(await readJsonArtifact(artifactNamed(artifacts, 'compose.json'), signal));
    });
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ObjectFrozen') return undefined;
    throw error;
  }
}

async function isFilledAhead(system: System, { signal }: Pick<Run, 'signal'>): Promise<boolean> {
  const preparing = await readPreparing(system.name);
  if (preparing === undefined) return false;
  const standing = await siteStanding(system, { signal });
  return standing.kind === 'elsewhere' && standing.n === preparing.generation;
}

/** A server that is filled ahead, alone, is nothing that runs the system. Throws SiteFenced for any other. */
async function permitHere(system: System, run: Pick<Run, 'signal'>): Promise<StartPermit> {
  if (await isFilledAhead(system, run)) return () => Promise.resolve();
  await requireMayRun(system, run.signal);
  return startPermit(system, run.signal);
}

export async function startServers(
  context: HostContext,
  { system: name, components }: Input<'startServers'>,
  run: Run,
): Promise<{ started: string[] }> {
  const system = await context.system(name);
  const permit = await permitHere(system, run);
  const docker = context.docker();
  const started = new Set<string>();
  for (const component of components.map((one) => componentOf(system, one)).filter(isDump)) {
    const around = await aroundServer(docker, system, component);
    const server = oneOf(around.servers, component);
    const wanted = new Set(withDependencies(server, around.all).map(({ id }) => id));
    const surveyed = (await surveyStack(docker, around.all)).filter(({ id }) => wanted.has(id));
    for (const level of [...new Set(surveyed.map((one) => one.level))].toSorted((a, b) => b - a)) {
      const now = surveyed.filter((one) => one.level === level);
      await startLevel(docker, now, { limitSeconds: healthSecondsOf(system), permit }, run);
      for (const one of now) started.add(one.name);
    }
    run.report({ phase: `wait for the server of ${component.name}` });
    const { own, close } = await openServer(docker, server.id, await portOf(docker, server, component), {
      byAddress: true,
    });
    try {
      await untilReady(docker, server.id, own, run.signal);
    } finally {
      await close();
    }
  }
  return { started: [...started] };
}

export async function stopServers(
  context: HostContext,
  { system: name, components, restoreId }: Input<'stopServers'>,
  run: Run,
): Promise<void> {
  const system = await context.system(name);
  const docker = context.docker();
  for (const component of components.map((one) => componentOf(system, one)).filter(isDump)) {
    const { servers, all } = await aroundServer(docker, system, component);
    const wanted = new Set(servers.flatMap((server) => withDependencies(server, all)).map(({ id }) => id));
    const made = all.filter((one) => wanted.has(one.id) && one.labels[RESTORE_LABEL] === restoreId && isUp(one));
    for (const { id, stopSeconds } of await surveyStack(docker, made)) {
      run.signal.throwIfAborted();
      await docker.stop(id, stopSeconds);
    }
  }
}

/**
 * The component as it is reached by now. A server that this restore made knows no role but the one of its image: it is
 * entered as that, and started again where it went down with the machine. Any other is as the system file has it.
 */
export async function withMadeServer<T>(
  context: HostContext,
  system: System,
  { component, restoreId }: { readonly component: Component; readonly restoreId: string },
  { signal }: Pick<Run, 'signal'>,
  use: (component: Component, extra: Partial<KindContext>) => Promise<T>,
): Promise<T> {
  const server = isDump(component) ? await madeBy(context, system, component, restoreId) : undefined;
  if (server === undefined || !isDump(component)) return use(component, {});
  const docker = context.docker();
  if (!isUp(server)) {
    await (
      await permitHere(system, { signal })
    )();
    await docker.start(server.id);
  }
  const options = { byAddress: true };
  const { own, close } = await openServer(docker, server.id, await portOf(docker, server, component), options);
  try {
    await untilReady(docker, server.id, own, signal);
    const resolveSecret = (): Promise<string> => Promise.resolve(own.password ?? '');
    return await use({ ...component, server: own.server }, { resolveSecret });
  } finally {
    await close();
  }
}

async function madeBy(
  context: HostContext,
  system: System,
  component: PostgresDumpComponent,
  restoreId: string,
): Promise<ContainerFacts | undefined> {
  if (stacksOf(system, context.host).length === 0) return undefined;
  const { servers } = await aroundServer(context.docker(), system, component).catch(withoutEngine);
  return servers.find(({ labels }) => labels[RESTORE_LABEL] === restoreId);
}

/** Nothing is made in an engine that does not answer, and what is on this host needs none. */
function withoutEngine(error: unknown): { servers: readonly ContainerFacts[] } {
  if (error instanceof HoldfastError && error.code === 'DockerUnreachable') return { servers: [] };
  throw error;
}

function stacksOf(system: System, host: string): ComposeComponent[] {
  return system.components.flatMap((one) => (one.kind === 'compose' && one.host === host ? [one] : []));
}

async function aroundServer(
  docker: DockerHost,
  system: System,
  component: PostgresDumpComponent,
): Promise<{ all: ContainerFacts[]; servers: readonly ContainerFacts[] }> {
  const stacks = stacksOf(system, component.host);
  const all = (await Promise.all(stacks.map(({ project }) => docker.containersOf({ project })))).flat();
  return { all, servers: await serverIn(docker, all, component.server) };
}

function oneOf(servers: readonly ContainerFacts[], { name }: Component): ContainerFacts {
  const [only] = servers;
  if (only !== undefined && servers.length === 1) return only;
  if (only === undefined)
    throw new HoldfastError('ContainerMissing', `the stack has not brought the server of ${name}`);
  throw new HoldfastError('BadInput', `the server of ${name} has ${servers.length} containers`);
}

async function portOf(docker: DockerHost, { id }: ContainerFacts, { server }: PostgresDumpComponent): Promise<number> {
  const info = await docker.describe(id);
  return portInside({ hostConfig: { ...info?.HostConfig } }, server);
}
