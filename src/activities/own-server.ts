/** A database server in a container that was made a moment ago: entered as its image made it, by nobody's declared role. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openDoor, type Door } from '../docker/door.ts';
import type { DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { freshServer } from '../policy/drill-servers.ts';
import { withOwnServer, type OwnServer } from '../postgres/own-server.ts';

/** A cluster is made first, which takes its time on a slow disk. */
const READY_SECONDS = 300;
const READY_POLL_MS = 300;
const LOG_LINES = 20;

export interface OpenServer {
  readonly own: OwnServer;
  readonly close: () => Promise<void>;
}

/**
 * Through the container's own loopback; with `byAddress` by its address where this host's user may not go there. Throws
 * ContainerMissing, and without `byAddress` ToolMissing and PermissionDenied.
 */
export async function openServer(
  docker: DockerHost,
  id: string,
  port: number,
  { byAddress = false }: { readonly byAddress?: boolean } = {},
): Promise<OpenServer> {
  const info = await docker.describe(id);
  if (info === undefined) throw new HoldfastError('ContainerMissing', `the server ${id} is gone`);
  const { user, password } = freshServer({ config: { ...info.Config } });
  const door = await (byAddress ? doorInto(docker, id, port) : openDoor(docker, id, port));
  const server: OwnServer['server'] = {
    ...(door === undefined ? {} : { address: door.directory }),
    port,
    tls: 'disable',
    // Never one that is restored: those are exchanged.
    maintenanceDatabase: 'template1',
    tools: { kind: 'container', container: id },
    backup: { user, ...(password === undefined ? {} : { password: { env: 'POSTGRES_PASSWORD' } }) },
  };
  const own = { server, ...(password === undefined ? {} : { password }) };
  return { own, close: () => door?.close() ?? Promise.resolve() };
}

async function doorInto(docker: DockerHost, id: string, port: number): Promise<Door | undefined> {
  try {
    return await openDoor(docker, id, port);
  } catch (error) {
    if (error instanceof HoldfastError && ['ToolMissing', 'PermissionDenied'].includes(error.code)) return undefined;
    throw error;
  }
}

/** While its cluster is made an image's server listens to nobody else. Throws Unhealthy with the end of its log. */
export async function untilReady(docker: DockerHost, id: string, own: OwnServer, signal: AbortSignal): Promise<void> {
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
        const words = `the server ${facts?.service ?? facts?.name ?? id} takes no connections`;
        throw new HoldfastError('Unhealthy', `${words}: ${tail.trim()}`, { cause: error });
      }
    }
    await sleep(READY_POLL_MS, undefined, { signal });
  }
}
