/** In which order containers that depend on each other are stopped and started. Pure. */
import type { ContainerFacts } from './types.ts';

export const DEPENDS_ON_LABEL = 'com.docker.compose.depends_on';

type Ordered = Pick<ContainerFacts, 'id' | 'project' | 'service' | 'labels'>;

/** `db:service_healthy:false,cache:service_started:true`, as Compose writes it on every container. */
export function dependencies(labels: Readonly<Record<string, string>>): { service: string; condition: string }[] {
  return (labels[DEPENDS_ON_LABEL] ?? '')
    .split(',')
    .map((part) => part.split(':'))
    .filter(([service]) => service !== undefined && service !== '')
    .map(([service, condition]) => ({ service: service ?? '', condition: condition ?? 'service_started' }));
}

/** With all that it depends on, directly or not. Pure. */
export function withDependencies<C extends Ordered>(container: C, among: readonly C[]): C[] {
  const found = new Set<C>();
  const add = (one: C): void => {
    if (found.has(one)) return;
    found.add(one);
    for (const { service } of dependencies(one.labels)) {
      for (const other of among) if (other.project === one.project && other.service === service) add(other);
    }
  };
  add(container);
  return [...found];
}

/**
 * Levels to stop in, by container id: 0 first, dependents before what they depend on. To start, go from the highest
 * level down. A circle of dependencies is cut where it closes.
 */
export function stopLevels(containers: readonly Ordered[]): Map<string, number> {
  const depths = new Map<string, number>();
  const depthOf = (container: Ordered, seen: ReadonlySet<string>): number => {
    const known = depths.get(container.id);
    if (known !== undefined) return known;
    if (seen.has(container.id)) return 0;
    const path = new Set([...seen, container.id]);
    const needed = dependencies(container.labels).flatMap(({ service }) =>
      containers.filter((other) => other.project === container.project && other.service === service),
    );
    const depth = needed.length === 0 ? 0 : 1 + Math.max(...needed.map((other) => depthOf(other, path)));
    if (seen.size === 0) depths.set(container.id, depth);
    return depth;
  };
  for (const container of containers) depthOf(container, new Set());
  const deepest = Math.max(0, ...depths.values());
  return new Map([...depths].map(([id, depth]) => [id, deepest - depth]));
}
