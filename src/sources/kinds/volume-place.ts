/** Where a volume's data lies, what its copies are called, and who uses it. */
import { isRemoteEngine } from '../../docker/connect.ts';
import type { ContainerFacts, DockerHost, VolumeFacts } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';

/** On every volume that a restore made: the id of that restore. Without it nothing is ever emptied or removed. */
export const RESTORE_LABEL = 'dev.holdfast.restore';
/** On everything that a drill made in the engine: the id of that drill. Without it no drill removes anything. */
export const DRILL_LABEL = 'dev.holdfast.drill';
/** What the volume is: `copy` beside the live one, `live` where a restore made a missing one, `aside` for old data. */
export const ROLE_LABEL = 'dev.holdfast.role';
export type VolumeRole = 'copy' | 'live' | 'aside' | 'elsewhere';

/** Pure. The engine allows letters, digits, dot, dash and underscore. */
export function copyName(volume: string, restoreId: string): string {
  return `${volume}.restore-${safe(restoreId)}`;
}

/** Pure. */
export function asideName(volume: string, restoreId: string): string {
  return `${volume}.aside-${safe(restoreId)}`;
}

function safe(restoreId: string): string {
  return restoreId.replaceAll(/[^\w.-]/g, '-');
}

export function madeBy(volume: VolumeFacts, restoreId: string, role: VolumeRole): boolean {
  return volume.labels[RESTORE_LABEL] === restoreId && volume.labels[ROLE_LABEL] === role;
}

/**
 * The directory of its data on this host. Throws BadInput where it can't be read or exchanged as a directory: another
 * driver, something mounted by the engine only while it is in use, or an engine on another machine.
 */
export function dataDirectory(volume: VolumeFacts): string {
  if (isRemoteEngine()) {
    throw new HoldfastError('BadInput', `DOCKER_HOST names another machine, so volume ${volume.name} is not here`, {
      hint: 'Run the Holdfast worker on the machine of the Docker engine.',
    });
  }
  if (volume.driver !== 'local' || volume.path === undefined) {
    throw new HoldfastError('BadInput', `Volume ${volume.name} has the driver ${volume.driver}, not local`, {
      hint: 'Name the directory behind it as a component of kind `files`, or use what its driver offers.',
    });
  }
  const mounted = Object.entries(volume.options).filter(([name]) => name !== 'size' && !name.startsWith('quota'));
  if (mounted.length > 0) {
    const shown = mounted.map(([name]) => name).join(', ');
    throw new HoldfastError('BadInput', `Volume ${volume.name} is mounted by the engine with options (${shown})`, {
      hint: 'Its directory is empty while nothing uses it: name its source as a component of kind `files`.',
    });
  }
  return volume.path;
}

export async function liveVolume(docker: DockerHost, name: string): Promise<VolumeFacts> {
  const found = await docker.volume(name);
  if (found !== undefined) return found;
  throw new HoldfastError('VolumeMissing', `There is no volume ${name} on this host`);
}

/** Containers that have it mounted at this moment; stopped ones don't. */
export async function activeUsers(docker: DockerHost, volume: string): Promise<ContainerFacts[]> {
  const users = await docker.containersOf({ volume });
  return users.filter((user) => ['running', 'paused', 'restarting'].includes(user.state));
}

/** Throws VolumeInUse, naming every container. */
export async function mustBeUnused(docker: DockerHost, volumes: readonly string[], doing: string): Promise<void> {
  for (const volume of volumes) {
    const users = await activeUsers(docker, volume);
    if (users.length === 0) continue;
    const names = users.map((user) => `${user.name} (${user.state})`).join(', ');
    throw new HoldfastError('VolumeInUse', `${doing}: volume ${volume} is in use by ${names}`, {
      details: { containers: users.map((user) => user.name) },
    });
  }
}

/** Throws VolumeInUse where a container has it, also one that is stopped: whoever starts that would find it empty. */
export async function mustBelongToNobody(docker: DockerHost, volume: string): Promise<void> {
  const users = await docker.containersOf({ volume });
  if (users.length === 0) return;
  const names = users.map((user) => `${user.name} (${user.state})`).join(', ');
  throw new HoldfastError('VolumeInUse', `Remove volume ${volume}: it belongs to ${names}`, {
    details: { containers: users.map((user) => user.name) },
  });
}

/** The engine's and Compose's labels that a copy needs so that it can stand in for the volume. */
export function copiedLabels(
  labels: Readonly<Record<string, string>>,
  restoreId: string,
  role: VolumeRole,
): Record<string, string> {
  const kept = Object.entries(labels).filter(([name]) => !name.startsWith('dev.holdfast.'));
  return { ...Object.fromEntries(kept), [RESTORE_LABEL]: restoreId, [ROLE_LABEL]: role };
}
