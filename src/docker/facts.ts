/** The engine's answers, reduced to what Holdfast decides by. Pure. */
import type { ContainerInfo, ContainerInspectInfo, VolumeInspectInfo } from 'dockerode';

import type { ContainerFacts, VolumeFacts } from './types.ts';

const STATES: readonly string[] = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const HEALTH: readonly string[] = ['starting', 'healthy', 'unhealthy'];

export const PROJECT_LABEL = 'com.docker.compose.project';
export const SERVICE_LABEL = 'com.docker.compose.service';

function isState(text: string): text is ContainerFacts['state'] {
  return STATES.includes(text);
}

function isHealth(text: string): text is ContainerFacts['health'] {
  return HEALTH.includes(text);
}

export function containerFacts(info: ContainerInspectInfo): ContainerFacts {
  const labels = (info.Config.Labels as Record<string, string> | null) ?? {};
  const health = info.State.Health?.Status ?? 'none';
  const project = labels[PROJECT_LABEL];
  const service = labels[SERVICE_LABEL];
  const mounts = info.Mounts.filter((mount) => mount.Type === 'volume' && mount.Name !== undefined);
  const name = (mount: { Name?: string | undefined }): string => mount.Name ?? '';
  return {
    id: info.Id,
    name: info.Name.replace(/^\//, ''),
    image: info.Config.Image,
    state: isState(info.State.Status) ? info.State.Status : 'dead',
    startedAt: info.State.StartedAt,
    health: isHealth(health) ? health : 'none',
    ...(project === undefined ? {} : { project }),
    ...(service === undefined ? {} : { service }),
    labels,
    volumes: mounts.map(name),
    writes: mounts.filter((mount) => mount.RW).map(name),
  };
}

export function volumeFacts(info: VolumeInspectInfo): VolumeFacts {
  // The library's type is silent about it: a volume without labels has null here.
  const labels: unknown = info.Labels;
  return {
    name: info.Name,
    driver: info.Driver,
    ...(info.Driver === 'local' && info.Mountpoint !== '' ? { path: info.Mountpoint } : {}),
    labels: labels === null ? {} : info.Labels,
    options: info.Options ?? {},
  };
}

/** Whether a listed container matches; the engine's own volume filter also matches mount destinations. */
export function matches(info: ContainerInfo, filter: { volume?: string; project?: string; name?: string }): boolean {
  if (filter.volume !== undefined && !info.Mounts.some((mount) => mount.Name === filter.volume)) return false;
  if (filter.project !== undefined && info.Labels[PROJECT_LABEL] !== filter.project) return false;
  if (filter.name === undefined) return true;
  const named = info.Names.some((name) => name.replace(/^\//, '') === filter.name);
  return named || info.Labels[SERVICE_LABEL] === filter.name || info.Id === filter.name;
}
