/** Which containers a restore stops and starts: those that use the data, and the stack that the system says it is. */
import { dependencies, stopLevels } from '../docker/order.ts';
import { stopSeconds } from '../docker/freeze-plan.ts';
import type { ContainerFacts, DockerHost } from '../docker/types.ts';
import type { Component, System } from '../system/types.ts';

export interface StackContainer {
  readonly id: string;
  readonly name: string;
  readonly level: number;
  readonly stopSeconds: number;
}

/** True when restoring these components can concern containers at all; then the engine has to answer. */
export function concernsDocker(system: System, components: readonly Component[]): boolean {
  return system.compose !== undefined || components.some((component) => component.kind !== 'files');
}

/** Every container in question, whatever its state, by name. */
export async function stackOf(
  docker: DockerHost,
  system: System,
  components: readonly Component[],
): Promise<ContainerFacts[]> {
  const projects = new Set(components.flatMap((one) => (one.kind === 'compose' ? [one.project] : [])));
  const stack = system.components.find((one) => one.kind === 'compose' && one.name === system.compose);
  if (stack?.kind === 'compose') projects.add(stack.project);
  const volumes = components.flatMap((one) => (one.kind === 'volume' ? [one.volume] : []));
  const names = components.flatMap((one) => (one.kind === 'sqlite' ? one.usedBy : []));
  const found = await Promise.all([
    ...[...projects].map((project) => docker.containersOf({ project })),
    ...volumes.map((volume) => docker.containersOf({ volume })),
    ...names.map((name) => docker.containersOf({ name })),
  ]);
  const byId = new Map(found.flat().map((container) => [container.id, container]));
  return [...byId.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** With the level to stop each in: what depends on others goes first. */
export async function withLevels(docker: DockerHost, containers: readonly ContainerFacts[]): Promise<StackContainer[]> {
  const levels = stopLevels(containers);
  const details = await Promise.all(containers.map(({ id }) => docker.describe(id)));
  return containers.map(({ id, name }, index) => ({
    id,
    name,
    level: levels.get(id) ?? 0,
    stopSeconds: stopSeconds(details[index]),
  }));
}

export function dependsOn(container: ContainerFacts): string[] {
  return dependencies(container.labels).map(({ service }) => service);
}
