/** The containers that a system file means by a name, asked of an engine on which several stacks may run. */
import { HoldfastError } from '../failures.ts';
import { containersNamed } from './named.ts';
import type { ContainerFacts, DockerHost } from './types.ts';

/**
 * The one whose own name or id it is; else those of the service of this name in the project, when there is one; else in
 * the only project that has it. Throws BadInput when no project is known and several have such a service.
 */
export async function findNamed(
  docker: DockerHost,
  name: string,
  project: string | undefined,
): Promise<ContainerFacts[]> {
  try {
    return containersNamed(await docker.containersOf({ name }), name, project);
  } catch (error) {
    // No container bears the name itself, and services of several projects do.
    const isSeveral = error instanceof HoldfastError && error.code === 'BadInput';
    if (!isSeveral || project === undefined) throw error;
    return docker.containersOf({ project, name });
  }
}
