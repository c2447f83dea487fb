/** Under a lease the guard alone starts the stack: an engine that starts containers by itself would start them without one. */
import type { DockerHost } from '../docker/types.ts';
import type { System } from '../system/types.ts';
import { allContainers } from './system-containers.ts';

export interface PolicyFound {
  readonly id: string;
  readonly container: string;
  /** `always`, `unless-stopped`, `on-failure`. */
  readonly policy: string;
}

interface PoliciesOf {
  readonly system: System;
  readonly host: string;
  readonly docker: DockerHost;
}

/** Containers of the system on this machine that the engine would start by itself. */
export async function restartPolicies({ system, host, docker }: PoliciesOf): Promise<PolicyFound[]> {
  const components = system.components.filter((component) => component.host === host);
  const containers = await allContainers(docker, system, components);
  const found = await Promise.all(
    containers.map(async ({ id, name }): Promise<PolicyFound[]> => {
      const policy = (await docker.describe(id))?.HostConfig.RestartPolicy?.Name ?? '';
      return ['', 'no'].includes(policy) ? [] : [{ id, container: name, policy }];
    }),
  );
  return found.flat();
}

/** Sets them to `no`, as `docker update --restart=no` does: nothing is stopped or started by it. */
export async function mendPolicies(of: PoliciesOf): Promise<void> {
  for (const { id } of await restartPolicies(of)) await of.docker.neverRestart(id);
}
