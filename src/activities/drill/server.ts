/** A service of the project that is a database server: made empty in isolation before the rest, for what is restored into it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openDoor, type Door } from '../../docker/door.ts';
import type { DockerHost } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import { withOwnServer, type OwnServer } from '../../postgres/own-server.ts';
import { holdsCluster } from '../../policy/drill-isolation.ts';
import { freshServer } from '../../policy/drill-servers.ts';
import type { StackInput } from '../drill-types.ts';
import type { HostContext } from '../host-context.ts';
import { alone } from '../leftovers.ts';
import type { Run } from '../shell.ts';
import { linksOut } from './links-out.ts';
import { drillDirectory } from './places.ts';
import { imagesOf, madeBefore, makeContainers } from './stack-make.ts';
import { withStack } from './stack-plan.ts';

/** A cluster is made first, which takes its time on a slow disk. */
const READY_SECONDS = 300;
const READY_POLL_MS = 300;
const LOG_LINES = 20;

/** Gives `use` the server of this component; one that runs for another component of the same server is used again. */
export async function withIsolatedServer<T>(
  context: HostContext,
  { stack, component }: { readonly stack: StackInput; readonly component: string },
  run: Run,
  use: (own: OwnServer) => Promise<T>,
): Promise<T> {
  const docker = context.docker();
  const making = { system: stack.system, component: stack.component, id: stack.drillId };
  const { id, port } = await alone(context, making, run, () => serverUp(context, stack, component, run));
  const { own, door } = await openServer(docker, id, port);
  try {
    run.report({ phase: `wait for the server of ${component}` });
    await untilReady(docker, id, own, run.signal);
    return await use(own);
  } finally {
    await door.close();
  }
}

async function serverUp(
  context: HostContext,
  input: StackInput,
  component: string,
  run: Run,
): Promise<{ id: string; port: number }> {
  const docker = context.docker();
  return withStack(context, input, run, async (stack) => {
    const server = stack.servers.find((one) => one.component === component);
    const container = stack.isolation.containers.find(({ live }) => live === server?.live);
    if (server === undefined || container === undefined)
      throw new HoldfastError('Internal', `no service of ${input.component} is the server of ${component}`);
    const known = await madeBefore(docker, input.drillId, container);
    if (known !== undefined) {
      if ((await docker.inspect(known))?.state === 'running') return { id: known, port: server.port };
      // Half a cluster is no beginning.
      await docker.removeContainer(known);
      const fresh = container.mounts.filter(({ type, target }) => type === 'volume' && holdsCluster(target, server));
      for (const { source } of fresh) await docker.removeVolume(source);
    }
    const [out] = await linksOut(drillDirectory(context.stateDirectory(input.system), input.drillId), [container]);
    if (out !== undefined) throw new HoldfastError('UnsafePath', out);
    const images = await imagesOf(context, input, stack, [container], run);
    if (images.missing.length > 0) throw new HoldfastError('DockerRefused', `there is no image ${images.missing[0]}`);
    const ids = await makeContainers(docker, input.drillId, stack, [container], images.use);
    const id = ids.get(container.live) ?? '';
    run.report({ phase: `start: ${container.service}` });
    await docker.start(id);
    return { id, port: server.port };
  });
}

/** The way into it is open until the door is closed. */
export async function openServer(
  docker: DockerHost,
  id: string,
  port: number,
): Promise<{ own: OwnServer; door: Door }> {
  const info = await docker.describe(id);
  if (info === undefined) throw new HoldfastError('ContainerMissing', `the isolated server ${id} is gone`);
  const { user, password } = freshServer({ config: { ...info.Config } });
  const door = await openDoor(docker, id, port);
  const server: OwnServer['server'] = {
    address: door.directory,
    port,
    tls: 'disable',
    // Never one that is restored: those are exchanged.
    maintenanceDatabase: 'template1',
    tools: { kind: 'container', container: id },
    backup: { user, ...(password === undefined ? {} : { password: { env: 'POSTGRES_PASSWORD' } }) },
  };
  return { own: { server, ...(password === undefined ? {} : { password }) }, door };
}

/** While its cluster is made an image's server listens to nobody else. Throws Unhealthy with the end of its log. */
async function untilReady(docker: DockerHost, id: string, own: OwnServer, signal: AbortSignal): Promise<void> {
  const end = performance.now() + READY_SECONDS * 1000;
  for (;;) {
    try {
      await withOwnServer(
        own,
        () => docker,
        (access) => access.facts(signal),
      );
      return;
    } catch (error) {
      signal.throwIfAborted();
      const waits = error instanceof HoldfastError && error.code === 'PostgresUnreachable';
      const facts = await docker.inspect(id);
      if (!waits && facts?.state === 'running') throw error;
      if (facts?.state !== 'running' || performance.now() > end) {
        const tail = await docker.logTail(id, LOG_LINES).catch(() => '');
        const words = `the isolated server ${facts?.service ?? facts?.name ?? id} takes no connections`;
        throw new HoldfastError('Unhealthy', `${words}: ${tail.trim()}`, { cause: error });
      }
    }
    await sleep(READY_POLL_MS, undefined, { signal });
  }
}
