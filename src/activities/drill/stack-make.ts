/** Containers of a backup's Compose project made in isolation, with what they need around them; nothing is started. */
import { writeDurably } from '../../docker/durable-file.ts';
import type { DockerHost } from '../../docker/types.ts';
import type { IsolatedContainer, IsolatedMount } from '../../policy/drill-isolation.ts';
import { DRILL_LABEL } from '../../sources/kinds/volume-place.ts';
import type { StackInput } from '../drill-types.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { imagesNote } from './places.ts';
import type { StackThere } from './stack-plan.ts';

/** Services are found by it; those of Compose would make its commands and other operations find a drill's containers. */
export const SERVICE_LABEL = 'dev.holdfast.drill.service';
/** The port that the live container publishes → the port inside: `8080=80,8443=443`. */
export const PORTS_LABEL = 'dev.holdfast.drill.ports';
/** Of a database server: the components restored into it → its port inside. */
export const DATABASES_LABEL = 'dev.holdfast.drill.databases';

export interface Images {
  /** By container. */
  readonly use: ReadonlyMap<string, string>;
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
}

/** The image that ran, by its id; else the one of its name; else the one in the backup, which goes with the drill. */
export async function imagesOf(
  context: HostContext,
  { system, drillId }: StackInput,
  stack: StackThere,
  containers: readonly IsolatedContainer[],
  run: Run,
): Promise<Images> {
  const docker = context.docker();
  const use = new Map<string, string>();
  const missing = new Set<string>();
  const warnings = new Set<string>();
  const loaded: string[] = [];
  const wanted = stack.inventory.containers.filter(({ name }) => containers.some(({ live }) => live === name));
  for (const { name, image: reference, imageId } of wanted) {
    if ((await docker.describeImage(imageId)) !== undefined) {
      use.set(name, imageId);
      continue;
    }
    if ((await docker.describeImage(reference)) !== undefined) {
      warnings.add(`${reference} is another image by now than the one that ran`);
      use.set(name, reference);
      continue;
    }
    const record = stack.inventory.images.find((one) => one.reference === reference);
    const saved = stack.artifacts.find((artifact) => artifact.name === record?.artifact);
    if (saved === undefined) {
      missing.add(reference);
      continue;
    }
    run.report({ phase: `load image ${reference}` });
    loaded.push(reference);
    await writeDurably(imagesNote(context.stateDirectory(system), drillId), { format: 1, loaded });
    await docker.loadImages(saved.read({ signal: run.signal }), run.signal);
    use.set(name, reference);
  }
  return { use, missing: [...missing], warnings: [...warnings] };
}

/** What of it is there already is left as it is. Returns ids by the names of the live containers. */
export async function makeContainers(
  docker: DockerHost,
  drillId: string,
  stack: StackThere,
  containers: readonly IsolatedContainer[],
  images: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  await makeSurroundings(docker, drillId, containers);
  const ids = new Map<string, string>();
  for (const container of containers) {
    const known = await madeBefore(docker, drillId, container);
    ids.set(container.live, known ?? (await makeOne(docker, drillId, stack, container, images)));
  }
  return ids;
}

/** By its name, which only this drill gives. */
export async function madeBefore(
  docker: DockerHost,
  drillId: string,
  { name }: Pick<IsolatedContainer, 'name'>,
): Promise<string | undefined> {
  const found = await docker.containersOf({ name });
  return found.find(({ labels }) => labels[DRILL_LABEL] === drillId)?.id;
}

async function makeSurroundings(
  docker: DockerHost,
  drillId: string,
  containers: readonly IsolatedContainer[],
): Promise<void> {
  const labels = { [DRILL_LABEL]: drillId };
  const there = new Set((await docker.labelled(DRILL_LABEL, drillId)).networkNames);
  const networks = new Set(containers.flatMap(({ networks: own }) => Object.keys(own)));
  for (const name of [...networks].filter((one) => !there.has(one))) {
    // Without an address of the host in it: not even what the host itself publishes can be reached.
    const driverOptions = { 'com.docker.network.bridge.inhibit_ipv4': 'true' };
    await docker.createNetwork(name, { driver: 'bridge', internal: true, labels, driverOptions });
  }
  const volumes = containers.flatMap(({ mounts }) =>
    mounts.filter(({ type, source }) => type === 'volume' && source !== ''),
  );
  for (const { source } of volumes) {
    if ((await docker.volume(source)) === undefined) await docker.createVolume(source, { labels });
  }
}

async function makeOne(
  docker: DockerHost,
  drillId: string,
  { servers }: StackThere,
  container: IsolatedContainer,
  images: ReadonlyMap<string, string>,
): Promise<string> {
  const [first, ...further] = Object.entries(container.networks);
  const databases = servers.filter(({ live }) => live === container.live);
  const id = await docker.createContainer({
    ...container.config,
    name: container.name,
    Image: images.get(container.live) ?? container.image,
    Labels: {
      [DRILL_LABEL]: drillId,
      [SERVICE_LABEL]: container.service,
      [PORTS_LABEL]: container.ports.map(({ hostPort, port }) => `${hostPort}=${port}`).join(','),
      [DATABASES_LABEL]: databases.map(({ component, port }) => `${component}=${port}`).join(','),
    },
    HostConfig: {
      ...container.hostConfig,
      Mounts: container.mounts.map(mountOf),
      NetworkMode: first === undefined ? 'none' : first[0],
    },
    ...(first === undefined
      ? {}
      : { NetworkingConfig: { EndpointsConfig: { [first[0]]: { Aliases: [...first[1]] } } } }),
  });
  for (const [network, aliases] of further) await docker.joinNetwork(network, id, { Aliases: [...aliases] });
  return id;
}

function mountOf({ type, source, target, readOnly }: IsolatedMount) {
  return { Type: type, Source: source, Target: target, ReadOnly: readOnly };
}
