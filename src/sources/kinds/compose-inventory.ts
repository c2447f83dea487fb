/** What the engine knows of a Compose project: enough to say what ran, and to make it again without Compose. */
import { z } from 'zod';

import { PROJECT_LABEL } from '../../docker/facts.ts';
import type { DockerHost } from '../../docker/types.ts';

const labels = z.record(z.string(), z.string());
/** The engine's own answers, kept as they are: they are what its create call takes. */
const engineObject = z.record(z.string(), z.unknown());

const inventorySchema = z.object({
  format: z.literal(1),
  project: z.string(),
  directory: z.string(),
  /** Relative paths, in the order of the artifacts `file-<n>.tar`. */
  files: z.array(z.string()),
  containers: z.array(
    z.object({
      name: z.string(),
      service: z.string(),
      image: z.string(),
      imageId: z.string(),
      state: z.string(),
      config: engineObject,
      hostConfig: engineObject,
      networks: z.record(z.string(), engineObject),
    }),
  ),
  images: z.array(
    z.object({
      reference: z.string(),
      id: z.string(),
      digests: z.array(z.string()),
      sizeBytes: z.number(),
      /** Name of the artifact that holds it, when it was saved. */
      artifact: z.string().optional(),
    }),
  ),
  networks: z.array(z.object({ name: z.string(), driver: z.string(), internal: z.boolean(), labels })),
  volumes: z.array(z.object({ name: z.string(), driver: z.string(), options: labels, labels })),
});

export type Inventory = z.infer<typeof inventorySchema>;

export function parseInventory(value: unknown): Inventory | undefined {
  const parsed = inventorySchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Everything that carries the project's label, whatever its state. Sorted, so that no change gives the same bytes. */
export async function takeInventory(
  docker: DockerHost,
  project: { name: string; directory: string; files: readonly string[]; saveImages: boolean },
): Promise<Inventory> {
  const found = await docker.containersOf({ project: project.name });
  const containers = await describeContainers(
    docker,
    found.map((container) => container.id),
  );
  const references = [...new Set(containers.map((container) => container.image))].sort();
  const images = await Promise.all(
    references.map((reference, index) => describeImage(docker, reference, project.saveImages ? index : undefined)),
  );
  const names = [...new Set(found.flatMap((container) => container.volumes))].sort();
  const volumes = await Promise.all(names.map((name) => docker.volume(name)));
  const networks = await docker.networksOf(project.name);
  return {
    format: 1,
    project: project.name,
    directory: project.directory,
    files: [...project.files],
    containers: containers.sort((a, b) => a.name.localeCompare(b.name)),
    images: images.filter((image) => image !== undefined),
    networks: networks
      .map(({ Name, Driver, Internal, Labels }) => ({
        name: Name,
        driver: Driver,
        internal: Internal,
        labels: { ...Labels },
      }))
      .sort((a, b) => a.name.localeCompare(b.name)),
    volumes: volumes
      .filter((volume) => volume !== undefined)
      // Anonymous volumes come and go with their container.
      .filter((volume) => volume.labels[PROJECT_LABEL] === project.name)
      .map(({ name, driver, options, labels: own }) => ({ name, driver, options: { ...options }, labels: { ...own } })),
  };
}

async function describeContainers(docker: DockerHost, ids: readonly string[]): Promise<Inventory['containers']> {
  const described = await Promise.all(ids.map((id) => docker.describe(id)));
  return (
    described
      .filter((info) => info !== undefined)
      // One-off containers of `docker compose run` are no part of the stack.
      .filter((info) => info.Config.Labels['com.docker.compose.oneoff'] !== 'True')
      .map((info) => ({
        name: info.Name.replace(/^\//, ''),
        service: info.Config.Labels['com.docker.compose.service'] ?? '',
        image: info.Config.Image,
        imageId: info.Image,
        state: info.State.Status,
        config: { ...info.Config },
        hostConfig: { ...info.HostConfig },
        networks: endpointsOf(info.NetworkSettings.Networks, info.Id),
      }))
  );
}

/** Only what was asked for at creation; addresses and ids of the running endpoint are the engine's own. */
function endpointsOf(networks: Record<string, unknown>, id: string): Record<string, Record<string, unknown>> {
  const kept = Object.entries(networks).map(([name, endpoint]) => {
    const { Aliases, IPAMConfig, Links, DriverOpts } = endpoint as Record<string, unknown>;
    const aliases = Array.isArray(Aliases) ? Aliases.filter((alias) => alias !== id.slice(0, 12)) : null;
    return [name, { Aliases: aliases, IPAMConfig, Links, DriverOpts }] as const;
  });
  return Object.fromEntries(kept);
}

async function describeImage(
  docker: DockerHost,
  reference: string,
  index: number | undefined,
): Promise<Inventory['images'][number] | undefined> {
  const info = await docker.describeImage(reference);
  if (info === undefined) return undefined;
  const digests: unknown = info.RepoDigests;
  return {
    reference,
    id: info.Id,
    digests: Array.isArray(digests) ? digests.filter((digest) => typeof digest === 'string') : [],
    sizeBytes: info.Size,
    ...(index === undefined ? {} : { artifact: `image-${index}.tar` }),
  };
}
