/** Makes again, by the Engine API, what of a Compose project is missing. What is there is never replaced. */
import type { ContainerCreateOptions } from 'dockerode';

import type { DockerHost } from '../../docker/types.ts';
import type { Inventory } from './compose-inventory.ts';
import { RESTORE_LABEL } from './volume-place.ts';

export interface Missing {
  readonly containers: readonly Inventory['containers'][number][];
  /** References that a missing container needs and this engine does not have. */
  readonly images: readonly string[];
}

/** A container counts as there when one of its name exists. */
export async function missingOf(docker: DockerHost, inventory: Inventory): Promise<Missing> {
  const present = await Promise.all(
    inventory.containers.map(async ({ name }) => (await docker.inspect(name)) !== undefined),
  );
  const containers = inventory.containers.filter((_, index) => present[index] !== true);
  const references = [...new Set(containers.map((container) => container.image))];
  const known = await Promise.all(references.map(async (name) => (await docker.describeImage(name)) !== undefined));
  return { containers, images: references.filter((_, index) => known[index] !== true) };
}

/**
 * Networks and volumes first, with the labels that make Compose accept them, then the containers, created and not
 * started. Returns the names of the containers made. Throws SourceMissing when an image is not there.
 */
export async function createMissing(docker: DockerHost, inventory: Inventory, restoreId: string): Promise<string[]> {
  const { containers } = await missingOf(docker, inventory);
  if (containers.length > 0) await createSurroundings(docker, inventory);
  const made: string[] = [];
  for (const container of inventory.containers) {
    if (containers.includes(container)) await docker.createContainer(creation(container, restoreId));
    const facts = await docker.inspect(container.name);
    // Also one that an earlier attempt made and left before it was in all its networks.
    if (facts?.labels[RESTORE_LABEL] !== restoreId || facts.state !== 'created') continue;
    for (const [network, endpoint] of furtherNetworks(container)) {
      await docker.joinNetwork(network, container.name, endpoint);
    }
    made.push(container.name);
  }
  return made;
}

async function createSurroundings(docker: DockerHost, inventory: Inventory): Promise<void> {
  const networks = new Set((await docker.networksOf(inventory.project)).map((network) => network.Name));
  for (const { name, driver, internal, labels } of inventory.networks) {
    if (!networks.has(name)) await docker.createNetwork(name, { driver, internal, labels });
  }
  for (const { name, driver, options, labels } of inventory.volumes) {
    if ((await docker.volume(name)) !== undefined) continue;
    await docker.createVolume(name, { labels, like: { name, driver, options, labels } });
  }
}

/** Pure: what the engine has to be told to make a container like the one that it described. */
export function creation(
  container: Inventory['containers'][number],
  restoreId: string,
): ContainerCreateOptions & { name: string } {
  const config = container.config as ContainerCreateOptions;
  const [first] = ownNetworks(container);
  return {
    ...config,
    // The engine's own choice was the old container's id.
    ...(/^[0-9a-f]{12}$/.test(config.Hostname ?? '') ? { Hostname: '' } : {}),
    name: container.name,
    Labels: { ...config.Labels, [RESTORE_LABEL]: restoreId },
    HostConfig: container.hostConfig,
    ...(first === undefined ? {} : { NetworkingConfig: { EndpointsConfig: Object.fromEntries([first]) } }),
  };
}

type Endpoint = readonly [string, Record<string, unknown>];

/** The network of its mode first, as the engine wants it; none where it shares another one's or has none. */
function ownNetworks(container: Inventory['containers'][number]): Endpoint[] {
  const mode = container.hostConfig['NetworkMode'];
  if (typeof mode === 'string' && (mode === 'none' || mode === 'host' || mode.startsWith('container:'))) return [];
  const all = Object.entries(container.networks);
  return [...all.filter(([name]) => name === mode), ...all.filter(([name]) => name !== mode)];
}

/** Engine 20.10 takes one network at creation; the others are joined afterwards. */
function furtherNetworks(container: Inventory['containers'][number]): Endpoint[] {
  return ownNetworks(container).slice(1);
}

/** Containers that this restore made and nobody has started since: removed when it is taken back. */
export async function removeCreated(docker: DockerHost, project: string, restoreId: string): Promise<void> {
  for (const container of await docker.containersOf({ project })) {
    if (container.labels[RESTORE_LABEL] === restoreId && container.state !== 'running') {
      await docker.removeContainer(container.id);
    }
  }
}
