/** The engine's answers, reduced to what Holdfast decides by. Pure. */
import type { ContainerInfo, ContainerInspectInfo, VolumeInspectInfo } from 'dockerode';

import { HoldfastError } from '../failures.ts';
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

interface Filter {
  readonly volume?: string;
  readonly project?: string;
  readonly name?: string;
}

/**
 * The listed containers that match. A name is a container's own, or else a service's: one that several projects of this
 * host have is refused with BadInput, because the wrong project would be touched. The engine's volume filter also
 * matches mount destinations, so it is checked again here.
 */
export function matching(listed: readonly ContainerInfo[], filter: Filter): ContainerInfo[] {
  const { name } = filter;
  const found = listed.filter(
    (info) =>
      (filter.volume === undefined || info.Mounts.some((mount) => mount.Name === filter.volume)) &&
      (filter.project === undefined || info.Labels[PROJECT_LABEL] === filter.project),
  );
  if (name === undefined) return found;
  const named = found.filter((info) => info.Id === name || info.Names.some((own) => own.replace(/^\//, '') === name));
  if (named.length > 0) return named;
  const serving = found.filter((info) => info.Labels[SERVICE_LABEL] === name);
  const projects = [...new Set(serving.map((info) => info.Labels[PROJECT_LABEL]))].sort();
  if (projects.length <= 1) return serving;
  throw new HoldfastError('BadInput', `Several projects have a service ${name}: ${projects.join(', ')}`, {
    hint: "Write the container's own name instead of the service's.",
  });
}
