/** Which containers are the servers that dumps go into: a restore of a dump needs them up from its start to its end. */
import type { ContainerInspectInfo } from 'dockerode';
import { HoldfastError } from '../failures.ts';
import { containersNamed } from '../docker/named.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import type { Component, PostgresServer } from '../system/types.ts';

const THIS_HOST = new Set(['127.0.0.1', '::1', 'localhost', '0.0.0.0']);

/**
 * Of these containers. Throws BadInput when one of them also uses a volume that is to be exchanged: a dump needs it up,
 * and the volume needs it down.
 */
export async function serversOf(
  docker: DockerHost,
  stack: readonly ContainerFacts[],
  components: readonly Component[],
): Promise<Set<string>> {
  const servers = new Set<string>();
  const volumes = components.flatMap((one) => (one.kind === 'volume' ? [one.volume] : []));
  for (const component of components) {
    if (component.kind !== 'postgres' || component.method !== 'dump') continue;
    for (const container of await serverIn(docker, stack, component.server)) {
      const both = container.volumes.find((volume) => volumes.includes(volume));
      if (both !== undefined) {
        throw new HoldfastError('BadInput', `${component.name} and volume ${both} can't be restored together`, {
          hint: `The volume is that of the server ${container.name}: choose one of the two with --component.`,
        });
      }
      servers.add(container.id);
    }
  }
  return servers;
}

/** Of these containers; several when a service was scaled. */
export async function serverIn(
  docker: DockerHost,
  stack: readonly ContainerFacts[],
  server: PostgresServer,
): Promise<readonly ContainerFacts[]> {
  const { tools, address = '127.0.0.1', port } = server;
  if (tools.kind === 'service') {
    return stack.filter(({ project, service }) => project === tools.project && service === tools.service);
  }
  if (tools.kind === 'container') {
    const named = stack.filter(({ id, name, service }) => [id, name, service].includes(tools.container));
    return containersNamed(named, tools.container, undefined);
  }
  const details = await Promise.all(
    stack.map(async (container) => ({ container, info: await docker.describe(container.id) })),
  );
  return details.flatMap(({ container, info }) =>
    info !== undefined && answersAt(info, address, port) ? [container] : [],
  );
}

/** By a published port, or by an address in one of its networks. */
function answersAt(info: ContainerInspectInfo, address: string, port: number): boolean {
  const networks = Object.values(info.NetworkSettings.Networks);
  if (networks.some(({ IPAddress }) => IPAddress !== '' && IPAddress === address)) return true;
  if (!THIS_HOST.has(address)) return false;
  const ports = Object.values((info.HostConfig.PortBindings ?? {}) as Record<string, { HostPort?: string }[] | null>);
  if (ports.some((bindings) => bindings?.some(({ HostPort }) => HostPort === String(port)))) return true;
  const published = Object.values(info.NetworkSettings.Ports as Record<string, { HostPort: string }[] | null>);
  return published.some((bindings) => bindings?.some(({ HostPort }) => HostPort === String(port)));
}
