/** Where the cluster of a server in a container lies on this host: in a volume, or in a directory bound into it. */
import { lstat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ContainerInspectInfo } from 'dockerode';
import { isRemoteEngine } from '../../docker/connect.ts';
import type { ContainerFacts, DockerHost } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import { containerWords, serverContainers } from '../../postgres/place.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import { isMissing } from '../io-errors.ts';
import { dataDirectory as directoryOf, liveVolume } from '../kinds/volume-place.ts';

type Mount = ContainerInspectInfo['Mounts'][number];

/** Throws ContainerMissing, and BadInput where it can't be told, or lies in the container alone. */
export async function directoryInContainer(component: PostgresBaseComponent, docker: DockerHost): Promise<string> {
  const what = containerWords(component.server);
  const [container, ...more] = await serverContainers(component.server, docker);
  if (more.length > 0) throw new HoldfastError('BadInput', `the ${what} has ${more.length + 1} containers`);
  const info = container === undefined ? undefined : await docker.describe(container.id);
  if (info === undefined) {
    throw new HoldfastError('ContainerMissing', `there is no ${what}, whose cluster is to be replaced`, {
      hint: 'Bring its project up first (`--component` of the stack), or restore to a directory with --target.',
    });
  }
  if (isRemoteEngine()) {
    throw new HoldfastError('BadInput', `DOCKER_HOST names another machine, so the cluster of ${what} is not here`);
  }
  const inside = /^PGDATA=(\/.+)$/.exec(info.Config.Env.find((each) => each.startsWith('PGDATA=')) ?? '')?.[1];
  const found = inside === undefined ? await withCluster(info, docker) : await mountedAt(info, inside, docker);
  if (found !== undefined) return found;
  throw new HoldfastError(
    'BadInput',
    `${component.name}: where the ${what} keeps its cluster on this host can't be told`,
    {
      hint: 'Keep it in a volume or a bound directory and name PGDATA in its environment, or `dataDirectory` in the system file.',
    },
  );
}

/** The mount that the path lies in, the deepest one first. */
async function mountedAt(info: ContainerInspectInfo, inside: string, docker: DockerHost): Promise<string | undefined> {
  const [mount] = info.Mounts.filter(({ Destination }) => `${inside}/`.startsWith(`${Destination}/`)).sort(
    (one, other) => other.Destination.length - one.Destination.length,
  );
  return mount === undefined ? undefined : join(await sourceOf(mount, docker), relative(mount.Destination, inside));
}

/** Without the word of the image: the only mount that is a cluster. */
async function withCluster(info: ContainerInspectInfo, docker: DockerHost): Promise<string | undefined> {
  const clusters: string[] = [];
  for (const mount of info.Mounts.filter(({ Type }) => Type === 'volume' || Type === 'bind')) {
    const source = await sourceOf(mount, docker).catch(() => undefined);
    if (source !== undefined && (await isCluster(source))) clusters.push(source);
  }
  return clusters.length === 1 ? clusters[0] : undefined;
}

async function sourceOf({ Type, Name, Source }: Mount, docker: DockerHost): Promise<string> {
  return Type === 'volume' && Name !== undefined ? directoryOf(await liveVolume(docker, Name)) : Source;
}

async function isCluster(directory: string): Promise<boolean> {
  try {
    return (await lstat(join(directory, 'PG_VERSION'))).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Those of the server's containers that are up. */
export async function runningContainers(
  { server }: PostgresBaseComponent,
  docker: DockerHost,
): Promise<ContainerFacts[]> {
  const found = await serverContainers(server, docker);
  return found.filter(({ state }) => ['running', 'paused', 'restarting'].includes(state));
}
