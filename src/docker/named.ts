/** Which container a person means by a name. Several stacks on one host may each have a service `connector`. Pure. */
import { HoldfastError } from '../failures.ts';
import type { ContainerFacts } from './types.ts';

/**
 * Of the containers that bear the name, as their own or as their service's: the one whose own name or id it is; else
 * those of the project, when there is one; else those of the only project that has such a service. Throws BadInput when
 * several have, because another stack's container must never be stopped on a guess.
 */
export function containersNamed(
  found: readonly ContainerFacts[],
  name: string,
  project: string | undefined,
): ContainerFacts[] {
  const own = found.filter((container) => container.name === name || container.id === name);
  if (own.length > 0) return own;
  if (project !== undefined) return found.filter((container) => container.project === project);
  const projects = [...new Set(found.map((container) => container.project ?? ''))];
  if (projects.length <= 1) return [...found];
  throw new HoldfastError('BadInput', `the service ${name} is in several Compose projects: ${projects.join(', ')}`, {
    hint: 'Name the container itself, or describe the project as a compose component of the system.',
  });
}
