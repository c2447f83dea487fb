/** Which containers have to be still while something is read, decided before anything is touched. */
import type { ContainerInspectInfo } from 'dockerode';

import { HoldfastError } from '../failures.ts';
import { findNamed } from './find-named.ts';
import { stopLevels } from './order.ts';
import type { StartRight } from './start-right.ts';
import type { ContainerFacts, DockerHost, FreezeIntent } from './types.ts';

export interface FreezeScope extends StartRight {
  readonly freezeId: string;
  readonly system: string;
  readonly mode: 'pause' | 'stop';
  readonly budgetSeconds: number;
  /** Everything that can write to these volumes. */
  readonly volumes?: readonly string[];
  /** Everything of these Compose projects. */
  readonly projects?: readonly string[];
  /** Containers by name, or services by their Compose name. */
  readonly names?: readonly string[];
  /** The Compose project in which services are looked for by name. */
  readonly namesProject?: string;
}

/** The engine's own default when a container has no stop timeout. */
const DEFAULT_STOP_SECONDS = 10;

/**
 * Only containers that run are in the intent: what the operator has paused or stopped stays so. Throws VolumeMissing and
 * ContainerMissing for a name that is unknown, BadInput where a stop would remove or replace a container.
 */
export async function planFreeze(docker: DockerHost, scope: FreezeScope): Promise<FreezeIntent> {
  const plannedAtMs = Date.now();
  const found = await containersOfScope(docker, scope);
  const running = found.filter((container) => container.state === 'running' || container.state === 'restarting');
  const details = await Promise.all(running.map((container) => docker.describe(container.id)));
  running.forEach((container, index) => {
    if (scope.mode === 'stop') refuseToStop(container, details[index]);
  });
  const levels = stopLevels(running);
  const containers = running.map((container, index) => ({
    id: container.id,
    name: container.name,
    startedAt: container.startedAt,
    level: scope.mode === 'stop' ? (levels.get(container.id) ?? 0) : 0,
    stopSeconds: stopSeconds(details[index]),
  }));
  return {
    freezeId: scope.freezeId,
    system: scope.system,
    mode: scope.mode,
    budgetSeconds: scope.budgetSeconds,
    volumes: [...(scope.volumes ?? [])],
    plannedAtMs,
    ...(scope.lease === undefined ? {} : { lease: scope.lease }),
    ...(scope.believed === undefined ? {} : { believed: scope.believed }),
    containers: containers.sort((a, b) => a.level - b.level || a.name.localeCompare(b.name)),
  };
}

async function containersOfScope(docker: DockerHost, scope: FreezeScope): Promise<ContainerFacts[]> {
  const byVolume = (scope.volumes ?? []).map(async (volume) => {
    const [facts, users] = await Promise.all([docker.volume(volume), docker.containersOf({ volume })]);
    if (facts === undefined) throw new HoldfastError('VolumeMissing', `There is no volume ${volume} on this host`);
    return users.filter((container) => container.writes.includes(volume));
  });
  const byProject = (scope.projects ?? []).map((project) => docker.containersOf({ project }));
  const byName = (scope.names ?? []).map(async (name) => {
    const containers = await findNamed(docker, name, scope.namesProject);
    if (containers.length > 0) return containers;
    throw new HoldfastError('ContainerMissing', `There is no container or service ${name} on this host`);
  });
  const all = (await Promise.all([...byVolume, ...byProject, ...byName])).flat();
  return [...new Map(all.map((container) => [container.id, container])).values()];
}

function refuseToStop(container: ContainerFacts, details: ContainerInspectInfo | undefined): void {
  if (details?.HostConfig.AutoRemove === true) {
    throw new HoldfastError('BadInput', `Container ${container.name} was started with --rm: a stop would remove it`, {
      hint: 'Use quiesce: pause for it, or start it without --rm.',
    });
  }
  const service = container.labels['com.docker.swarm.service.name'];
  if (service !== undefined) {
    throw new HoldfastError('BadInput', `Container ${container.name} belongs to the swarm service ${service}`, {
      hint: 'A swarm replaces what is stopped; use quiesce: pause for it.',
    });
  }
}

export function stopSeconds(details: ContainerInspectInfo | undefined): number {
  // Missing from the library's type.
  const config = details?.Config as { StopTimeout?: number } | undefined;
  return config?.StopTimeout ?? DEFAULT_STOP_SECONDS;
}
