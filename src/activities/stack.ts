/** Which containers a restore stops and starts: those that use the data, and the stack that the system says it is. */
import { hasFallen } from '../docker/fallen.ts';
import { findNamed } from '../docker/find-named.ts';
import { stopLevels } from '../docker/order.ts';
import { stopSeconds } from '../docker/freeze-plan.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { serverContainers } from '../postgres/place.ts';
import { isUp, projectOf, usersOf } from '../sites/system-containers.ts';
import type { Component, System } from '../system/types.ts';
import { serversOf } from './stack-servers.ts';

export interface StackContainer {
  readonly id: string;
  readonly name: string;
  readonly level: number;
  readonly stopSeconds: number;
  /** It was up when the restore came. */
  readonly ran: boolean;
  /** It is to be up after the restore. */
  readonly starts: boolean;
}

/** True when restoring these components can concern containers at all; then the engine has to answer. */
export function concernsDocker(system: System, components: readonly Component[]): boolean {
  return system.compose !== undefined || components.some(({ kind }) => kind !== 'files' && kind !== 'systemd');
}

/** True when an engine that doesn't answer must stop the restore: something in containers may use the data. */
export function needsDocker(system: System, components: readonly Component[]): boolean {
  const used = components.some((component) => usersOf(component).length > 0);
  const inEngine = components.some(
    (component) =>
      component.kind === 'volume' ||
      component.kind === 'compose' ||
      (component.kind === 'postgres' && component.server.tools.kind !== 'host'),
  );
  return system.compose !== undefined || inEngine || used;
}

/** Every container in question, whatever its state, by name; without the servers that dumps are restored into. */
export async function stackOf(
  docker: DockerHost,
  system: System,
  components: readonly Component[],
): Promise<ContainerFacts[]> {
  const projects = new Set(components.flatMap((one) => (one.kind === 'compose' ? [one.project] : [])));
  const own = projectOf(system);
  if (own !== undefined) projects.add(own);
  const volumes = components.flatMap((one) => (one.kind === 'volume' ? [one.volume] : []));
  const names = components.flatMap(usersOf);
  const found = await Promise.all([
    ...[...projects].map((project) => docker.containersOf({ project })),
    ...volumes.map((volume) => docker.containersOf({ volume })),
    ...names.map((name) => findNamed(docker, name, own)),
  ]);
  const exchanged = await clusterServers(docker, components);
  const byId = new Map([...found.flat(), ...exchanged].map((container) => [container.id, container]));
  const all = [...byId.values()];
  const servers = await serversOf(docker, all, components);
  const both = exchanged.find(({ id }) => servers.has(id));
  if (both !== undefined) {
    throw new HoldfastError('BadInput', `a dump and the whole cluster of ${both.name} can't be restored together`, {
      hint: 'A dump needs the server up, and the cluster needs it down: choose one of the two with --component.',
    });
  }
  return all.filter(({ id }) => !servers.has(id)).sort((a, b) => a.name.localeCompare(b.name));
}

/** The containers whose clusters are exchanged as a whole: with their server down. */
async function clusterServers(docker: DockerHost, components: readonly Component[]): Promise<ContainerFacts[]> {
  const clusters = components.flatMap((one) => (one.kind === 'postgres' && one.method === 'base' ? [one.server] : []));
  return (await Promise.all(clusters.map((server) => serverContainers(server, docker)))).flat();
}

/** With the level to stop each in (what depends on others goes first), and what a restore does with it. */
export async function surveyStack(docker: DockerHost, stack: readonly ContainerFacts[]): Promise<StackContainer[]> {
  const levels = stopLevels(stack);
  const details = await Promise.all(stack.map(({ id }) => docker.describe(id)));
  return stack.map((container, index) => ({
    id: container.id,
    name: container.name,
    level: levels.get(container.id) ?? 0,
    stopSeconds: stopSeconds(details[index]),
    ran: isUp(container),
    // A restore is there to bring up what fell over or never came up, too.
    starts: isUp(container) || hasFallen(container, details[index]),
  }));
}
