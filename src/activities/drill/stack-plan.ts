/** How the Compose project of a backup is started in isolation: read from the backup, judged, nothing made yet. */
import path from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { isolate, recordedMounts, type Isolation, type Surroundings } from '../../policy/drill-isolation.ts';
import { freshServer, portInside, serverContainer } from '../../policy/drill-servers.ts';
import { parseInventory, type Inventory } from '../../sources/kinds/compose-inventory.ts';
import { readJsonArtifact } from '../../sources/kinds/json-artifact.ts';
import { singleFileOf } from '../../sources/kinds/files.ts';
import { artifactNamed } from '../../sources/kinds/volume-facts.ts';
import type { ComposeComponent, System } from '../../system/types.ts';
import type { DrillStackPlan } from '../../workflows/drill-contract.ts';
import type { StackInput } from '../drill-types.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { copiesOfPaths, scratchName, scratchTarget, scratchVolume } from './places.ts';

export interface StackThere {
  readonly component: ComposeComponent;
  readonly inventory: Inventory;
  readonly artifacts: readonly ArtifactReader[];
  readonly isolation: Isolation;
  readonly servers: readonly ServerThere[];
}

/** A database that is restored into a service of the project. */
export interface ServerThere {
  readonly component: string;
  /** The name of the live container. */
  readonly live: string;
  readonly service: string;
  /** Inside. */
  readonly port: number;
  /** Of its cluster. */
  readonly directory: string;
  /** It becomes what the service looks for, and not only some tables. */
  readonly isWhole: boolean;
}

export async function planScratchStack(context: HostContext, input: StackInput, run: Run): Promise<DrillStackPlan> {
  run.report({ phase: 'look at the project' });
  return withStack(context, input, run, ({ component, inventory, isolation, servers }) =>
    Promise.resolve({
      component: component.name,
      host: component.host,
      project: inventory.project,
      scratchProject: `${scratchName(input.drillId)}…`,
      services: [...new Set(inventory.containers.map(({ service }) => service))],
      isolated: isolation.isolated,
      refused: isolation.refused,
      servers: servers.map(({ component: of, service }) => ({ component: of, service })),
    }),
  );
}

/** The artifacts can be read for as long as `use` runs. */
export async function withStack<T>(
  context: HostContext,
  { system: name, store, manifestKey, component: of, restored, drillId, servers: named }: StackInput,
  run: Run,
  use: (stack: StackThere) => Promise<T>,
): Promise<T> {
  const system = await context.system(name);
  const component = componentOf(system, of);
  if (component.kind !== 'compose') throw new HoldfastError('BadInput', `${of} is no Compose project`);
  return context.withReader(system, store, async (vault) => {
    const artifacts = await (await vault.open(manifestKey)).artifacts(of);
    const inventory = parseInventory(await readJsonArtifact(artifactNamed(artifacts, 'compose.json'), run.signal));
    if (inventory === undefined)
      throw new HoldfastError('ArchiveBroken', `${of}: compose.json is no project's inventory`);
    const around = await surroundings(context, system, inventory, { component, restored, drillId });
    const possible = possibleServers(context, system, inventory, named ?? restored).filter(
      (one) => isolate(ofName(inventory, one.live), withClusters(around, [one])).refused.length === 0,
    );
    const servers = named === undefined ? await withImages(context, possible, { inventory, artifacts }) : possible;
    const isolation = isolate(inventory.containers, withClusters(around, servers));
    const refused = [...isolation.refused, ...emptyServers(system, inventory, servers)];
    return use({ component, inventory, artifacts, isolation: { ...isolation, refused }, servers });
  });
}

async function surroundings(
  context: HostContext,
  system: System,
  inventory: Inventory,
  asked: { readonly component: ComposeComponent; readonly restored: readonly string[]; readonly drillId: string },
): Promise<Surroundings> {
  const { component, restored, drillId } = asked;
  const stateDirectory = context.stateDirectory(system.name);
  const here = system.components.filter(({ name, host }) => host === context.host && restored.includes(name));
  const binds = inventory.containers.flatMap(({ hostConfig }) => recordedMounts(hostConfig));
  const sources = binds.filter(({ type }) => type === 'bind').map(({ source }) => source);
  const singles = new Map<string, string>();
  for (const one of here) {
    const file = one.kind === 'files' ? await singleFileOf(one, drillId, stateDirectory) : undefined;
    if (file !== undefined) singles.set(one.name, file);
  }
  const { paths: copies, partly } = copiesOfPaths(here, sources, { stateDirectory, drillId, singles });
  const paths: Record<string, string> = { ...copies };
  const files = scratchTarget(component, stateDirectory, drillId) ?? '';
  for (const file of inventory.files) paths[path.join(inventory.directory, file)] = path.join(files, file);
  return {
    volumes: Object.fromEntries(
      here.flatMap((one) => (one.kind === 'volume' ? [[one.volume, scratchVolume(one.volume, drillId)]] : [])),
    ),
    paths,
    partly,
    volumeName: (live) => scratchVolume(live, drillId),
    containerName: (live) => `${scratchName(drillId)}-${live}`,
    networkName: (live) => `${scratchName(drillId)}-${live}`,
  };
}

/** Of these components those that are dumped out of a server of the project. */
function possibleServers(
  context: HostContext,
  system: System,
  { project, containers }: Inventory,
  among: readonly string[],
): ServerThere[] {
  return system.components.flatMap((one) => {
    if (one.kind !== 'postgres' || one.method !== 'dump') return [];
    if (one.host !== context.host || !among.includes(one.name)) return [];
    const container = serverContainer(one.server, project, containers);
    if (container === undefined) return [];
    const { name: live, service } = container;
    const [port, { directory }] = [portInside(container, one.server), freshServer(container)];
    return [{ component: one.name, live, service, port, directory, isWhole: one.tables.length === 0 }];
  });
}

function withClusters(around: Surroundings, servers: readonly ServerThere[]): Surroundings {
  return { ...around, clusters: Object.fromEntries(servers.map(({ live, directory }) => [live, directory])) };
}

function ofName({ containers }: Inventory, live: string): Inventory['containers'] {
  return containers.filter(({ name }) => name === live);
}

/** Without its image a server can't be made, and its databases are checked where they can be. */
async function withImages(
  context: HostContext,
  servers: readonly ServerThere[],
  { inventory, artifacts }: Pick<StackThere, 'inventory' | 'artifacts'>,
): Promise<ServerThere[]> {
  const found: ServerThere[] = [];
  for (const server of servers) {
    const [container] = ofName(inventory, server.live);
    if (container === undefined) continue;
    const record = inventory.images.find(({ reference }) => reference === container.image);
    const isSaved = artifacts.some(({ name }) => name === record?.artifact);
    const known = [container.imageId, container.image].map((image) => context.docker().describeImage(image));
    if (isSaved || (await Promise.all(known)).some((image) => image !== undefined)) found.push(server);
  }
  return found;
}

/** Servers into which nothing whole is restored: their services would begin with empty databases. */
function emptyServers(system: System, { project, containers }: Inventory, servers: readonly ServerThere[]): string[] {
  return system.components.flatMap((one) => {
    if (one.kind !== 'postgres') return [];
    const container = serverContainer(one.server, project, containers);
    const isFilled = servers.some(({ live, isWhole }) => live === container?.name && isWhole);
    if (container === undefined || isFilled) return [];
    return [`${one.name} is checked apart: the service ${container.service} would begin with empty databases`];
  });
}
