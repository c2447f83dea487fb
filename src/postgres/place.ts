/** Where a server is, seen from this process and from its own tools, which may live in a container. */
import { existsSync } from 'node:fs';
import type { ContainerInspectInfo } from 'dockerode';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import type { PostgresServer } from '../system/types.ts';

export interface Endpoint {
  /** A name, an IP address or a directory; absent: the tool's own default socket. */
  readonly host?: string;
  readonly port: number;
}

export interface Place {
  /** From this process. */
  readonly from: Endpoint & { readonly host: string };
  /** From where the tools run. */
  readonly tools: Endpoint;
  /** The container of the tools; absent: they run on this host. */
  readonly container?: string;
}

/** Where images keep the socket of a server. `/var/run` is an absolute link, which would lead out of the container. */
const SOCKET_DIRECTORIES = ['/run/postgresql', '/var/run/postgresql', '/tmp'];

/** Throws ContainerMissing, PostgresUnreachable (it doesn't run), BadInput (several, or no way to it). */
export async function placeOf(server: PostgresServer, docker: () => DockerHost): Promise<Place> {
  const { tools, port } = server;
  if (tools.kind === 'host') {
    const endpoint = { host: server.address ?? '127.0.0.1', port };
    return { from: endpoint, tools: endpoint };
  }
  const found = await containerOf(server, docker());
  const info = await docker().describe(found.id);
  if (info === undefined) throw new HoldfastError('ContainerMissing', `the container ${found.name} is gone`);
  if (server.address?.startsWith('/') === true) {
    return { from: { host: server.address, port }, tools: { port }, container: found.id };
  }
  const inside = { host: '127.0.0.1', port: server.address === undefined ? port : publishedFrom(info, port) };
  return { from: { host: server.address ?? addressOf(info, port), port }, tools: inside, container: found.id };
}

/** Those that the system file means, whatever their state; none for a server on the host. */
export async function serverContainers({ tools }: PostgresServer, docker: DockerHost): Promise<ContainerFacts[]> {
  if (tools.kind === 'host') return [];
  return docker.containersOf(
    tools.kind === 'container' ? { name: tools.container } : { project: tools.project, name: tools.service },
  );
}

/** For messages. */
export function containerWords({ tools }: PostgresServer): string {
  if (tools.kind === 'host') throw new HoldfastError('Internal', 'a server on the host has no container');
  return tools.kind === 'container' ? `container ${tools.container}` : `service ${tools.service} of ${tools.project}`;
}

async function containerOf(server: PostgresServer, docker: DockerHost): Promise<ContainerFacts> {
  const what = containerWords(server);
  const found = await serverContainers(server, docker);
  const running = found.filter(({ state }) => state === 'running');
  const [only] = running;
  if (running.length > 1) {
    throw new HoldfastError('BadInput', `the ${what} has ${running.length} containers: name one of them as container`);
  }
  if (only !== undefined) return only;
  const [stopped] = found;
  if (stopped === undefined) throw new HoldfastError('ContainerMissing', `there is no ${what}`);
  throw new HoldfastError('PostgresUnreachable', `the container ${stopped.name} is ${stopped.state}`, {
    hint: `Start it: docker start ${stopped.name}`,
  });
}

/** The container's own port, when the one that is known is published from it. */
function publishedFrom(info: ContainerInspectInfo, port: number): number {
  const ports = Object.entries(info.NetworkSettings.Ports as Record<string, { HostPort: string }[] | null>);
  const mapped = ports.find(([, hosts]) => hosts?.some(({ HostPort }) => HostPort === String(port)));
  return mapped === undefined ? port : Number.parseInt(mapped[0], 10);
}

function addressOf(info: ContainerInspectInfo, port: number): string {
  const networks = Object.values(info.NetworkSettings.Networks);
  const address = networks.map((network) => network.IPAddress).find((each) => each !== '');
  if (address !== undefined) return address;
  if (info.HostConfig.NetworkMode === 'host') return '127.0.0.1';
  // Without a network there is still its file system, for those who may look into it.
  const sockets = SOCKET_DIRECTORIES.map((each) => `/proc/${info.State.Pid}/root${each}`);
  const socket = sockets.find((each) => existsSync(`${each}/.s.PGSQL.${port}`));
  if (socket !== undefined) return socket;
  throw new HoldfastError('BadInput', `the container ${info.Name.slice(1)} has no address of its own`, {
    hint: 'Put it into a network, or name `address` and `port` under which it is published.',
  });
}
