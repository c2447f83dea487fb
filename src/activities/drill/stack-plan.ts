/** How the Compose project of a backup is started in isolation: read from the backup, judged, nothing made yet. */
import path from 'node:path';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { isolate, recordedMounts, type Isolation } from '../../policy/drill-isolation.ts';
import { parseInventory, type Inventory } from '../../sources/kinds/compose-inventory.ts';
import { readJsonArtifact } from '../../sources/kinds/json-artifact.ts';
import { artifactNamed } from '../../sources/kinds/volume-facts.ts';
import type { ComposeComponent, System } from '../../system/types.ts';
import type { DrillStackPlan } from '../../workflows/drill-contract.ts';
import type { StackInput } from '../drill-types.ts';
import { componentOf, type HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { scratchName, scratchTarget, scratchVolume } from './places.ts';

export interface StackThere {
  readonly component: ComposeComponent;
  readonly inventory: Inventory;
  readonly artifacts: readonly ArtifactReader[];
  readonly isolation: Isolation;
}

export async function planScratchStack(context: HostContext, input: StackInput, run: Run): Promise<DrillStackPlan> {
  run.report({ phase: 'look at the project' });
  return withStack(context, input, run, ({ component, inventory, isolation }) =>
    Promise.resolve({
      component: component.name,
      host: component.host,
      project: inventory.project,
      scratchProject: `${scratchName(input.drillId)}…`,
      services: [...new Set(inventory.containers.map(({ service }) => service))],
      isolated: isolation.isolated,
      refused: isolation.refused,
    }),
  );
}

/** The artifacts can be read for as long as `use` runs. */
export async function withStack<T>(
  context: HostContext,
  { system: name, store, manifestKey, component: of, restored, drillId }: StackInput,
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
    const around = surroundings(context, system, inventory, { component, restored, drillId });
    const isolation = isolate(inventory.containers, around);
    const refused = [...isolation.refused, ...serversWithin(system, inventory)];
    return use({ component, inventory, artifacts, isolation: { ...isolation, refused } });
  });
}

function surroundings(
  context: HostContext,
  system: System,
  inventory: Inventory,
  asked: { readonly component: ComposeComponent; readonly restored: readonly string[]; readonly drillId: string },
): Parameters<typeof isolate>[1] {
  const { component, restored, drillId } = asked;
  const stateDirectory = context.stateDirectory(system.name);
  const volumes: Record<string, string> = {};
  const paths: Record<string, string> = {};
  const binds = new Set(
    inventory.containers.flatMap(({ hostConfig }) => recordedMounts(hostConfig).map(({ source }) => source)),
  );
  for (const one of system.components.filter(({ name, host }) => host === context.host && restored.includes(name))) {
    const target = scratchTarget(one, stateDirectory, drillId);
    if (target === undefined) continue;
    if (one.kind === 'volume') volumes[one.volume] = target;
    if (one.kind === 'files' || one.kind === 'sqlite') paths[one.path] = target;
    // A database lies in a directory that is mounted: of that directory the copy holds the database alone.
    if (one.kind === 'sqlite' && binds.has(path.dirname(one.path)))
      paths[path.dirname(one.path)] = path.dirname(target);
  }
  const files = scratchTarget(component, stateDirectory, drillId) ?? '';
  for (const file of inventory.files) paths[path.join(inventory.directory, file)] = path.join(files, file);
  return {
    volumes,
    paths,
    volumeName: (live) => scratchVolume(live, drillId),
    containerName: (live) => `${scratchName(drillId)}-${live}`,
    networkName: (live) => `${scratchName(drillId)}-${live}`,
  };
}

/** Servers whose data is not a restored volume: their services would begin with empty databases. */
function serversWithin(system: System, { project, containers }: Inventory): string[] {
  return system.components.flatMap((one) => {
    if (one.kind !== 'postgres') return [];
    const { tools } = one.server;
    const service =
      tools.kind === 'service' && tools.project === project
        ? tools.service
        : tools.kind === 'container'
          ? containers.find(({ name, service: of }) => name === tools.container || of === tools.container)?.service
          : undefined;
    if (service === undefined) return [];
    return [`${one.name} is checked on a server of its own: the service ${service} would begin with empty databases`];
  });
}
