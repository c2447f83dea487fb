/** Containers that are down although nobody wanted them to be. Pure. */
import type { ContainerInspectInfo } from 'dockerode';
import type { ContainerFacts } from './types.ts';

/**
 * It never came up, or fell over. A task that ran to its end, and whatever ended cleanly with no restart policy, was meant
 * to be down.
 */
export function hasFallen(
  { state }: Pick<ContainerFacts, 'state'>,
  details: ContainerInspectInfo | undefined,
): boolean {
  if (state === 'created' || state === 'dead') return true;
  if (state !== 'exited' || details === undefined) return false;
  const policy = details.HostConfig.RestartPolicy?.Name ?? '';
  return details.State.ExitCode !== 0 || !['', 'no', 'on-failure'].includes(policy);
}
