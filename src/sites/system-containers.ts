/** Which containers of a machine are a system's. */
import { findNamed } from '../docker/find-named.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { serverContainers } from '../postgres/place.ts';
import type { Component, System } from '../system/types.ts';

/** Services and containers that the system file says use it. */
export function usersOf(component: Component): readonly string[] {
  return component.kind === 'sqlite' || component.kind === 'postgres' ? component.usedBy : [];
}

/** The Compose project that holds the system's services. */
export function projectOf(system: System): string | undefined {
  const stack = system.components.find((one) => one.kind === 'compose' && one.name === system.compose);
  return stack?.kind === 'compose' ? stack.project : undefined;
}

export function isUp({ state }: ContainerFacts): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting';
}

/** Every container of these components, whatever its state, with the servers of databases, by name. */
export async function allContainers(
  docker: DockerHost,
  system: System,
  components: readonly Component[],
): Promise<ContainerFacts[]> {
  const project = projectOf(system);
  const found = await Promise.all(
    components.map(async (component) => {
      const used = usersOf(component).map((name) => findNamed(docker, name, project));
      return [...(await ownContainers(docker, component)), ...(await Promise.all(used)).flat()];
    }),
  );
  const byId = new Map(found.flat().map((container) => [container.id, container]));
  return [...byId.values()].toSorted((a, b) => a.name.localeCompare(b.name));
}

async function ownContainers(docker: DockerHost, component: Component): Promise<ContainerFacts[]> {
  if (component.kind === 'compose') return docker.containersOf({ project: component.project });
  if (component.kind === 'volume') return docker.containersOf({ volume: component.volume });
  return component.kind === 'postgres' ? serverContainers(component.server, docker) : [];
}
