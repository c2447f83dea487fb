/** The Compose project of a backup, started in isolation on what was restored. */
import { writeDurably } from '../../docker/durable-file.ts';
import { stopLevels } from '../../docker/order.ts';
import type { DockerHost } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import { redactText } from '../../observe/redact.ts';
import type { IsolatedContainer, IsolatedMount } from '../../policy/drill-isolation.ts';
import { DRILL_LABEL } from '../../sources/kinds/volume-place.ts';
import type { StackInput, StackStarted } from '../drill-types.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';
import { untilHealthy } from '../stop-start.ts';
import { linksOut } from './links-out.ts';
import { drillDirectory, imagesNote } from './places.ts';
import { clearContainers, mustBeOpen } from './scratch.ts';
import { withStack, type StackThere } from './stack-plan.ts';

/** Services are found by it; those of Compose would make its commands and other operations find a drill's containers. */
export const SERVICE_LABEL = 'dev.holdfast.drill.service';
/** The port that the live container publishes → the port inside: `8080=80,8443=443`. */
export const PORTS_LABEL = 'dev.holdfast.drill.ports';

/** What is unhealthy is a check that failed; throws only what kept it from being tried. A repeat begins anew. */
export async function startScratchStack(context: HostContext, input: StackInput, run: Run): Promise<StackStarted> {
  const { system, drillId } = input;
  await mustBeOpen(context, system, drillId);
  await clearContainers(context, drillId);
  const root = drillDirectory(context.stateDirectory(system), drillId);
  return withStack(context, input, run, async (stack) => {
    const { isolated, refused } = stack.isolation;
    const found = [...refused, ...(await linksOut(root, stack.isolation.containers))];
    if (found.length > 0) return { services: 0, isolated, refused: found, checks: [], warnings: [] };
    const images = await imagesOf(context, input, stack, run);
    if (images.missing.length > 0) {
      const words = images.missing.map((image) => `${image} is neither on this machine nor in the backup`);
      return { services: 0, isolated, refused: words, checks: [], warnings: [] };
    }
    await makeSurroundings(context.docker(), drillId, stack);
    const ids = await createAll(context.docker(), drillId, stack, images.use);
    await mustBeOpen(context, system, drillId);
    const checks = await startAll(context.docker(), stack, { ids, root }, run);
    return { services: ids.size, isolated, refused: [], checks, warnings: images.warnings };
  });
}

interface Images {
  /** By container. */
  readonly use: ReadonlyMap<string, string>;
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
}

/** The image that ran, by its id; else the one of its name; else the one in the backup, which goes with the drill. */
async function imagesOf(
  context: HostContext,
  { system, drillId }: StackInput,
  stack: StackThere,
  run: Run,
): Promise<Images> {
  const docker = context.docker();
  const use = new Map<string, string>();
  const missing = new Set<string>();
  const warnings = new Set<string>();
  const loaded: string[] = [];
  for (const { name, image: reference, imageId } of stack.inventory.containers) {
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

async function makeSurroundings(docker: DockerHost, drillId: string, { isolation }: StackThere): Promise<void> {
  const labels = { [DRILL_LABEL]: drillId };
  const networks = new Set(isolation.containers.flatMap(({ networks: own }) => Object.keys(own)));
  for (const name of networks) {
    // Without an address of the host in it: not even what the host itself publishes can be reached.
    const driverOptions = { 'com.docker.network.bridge.inhibit_ipv4': 'true' };
    await docker.createNetwork(name, { driver: 'bridge', internal: true, labels, driverOptions });
  }
  const volumes = isolation.containers.flatMap(({ mounts }) =>
    mounts.filter(({ type, source }) => type === 'volume' && source !== ''),
  );
  for (const { source } of volumes) {
    if ((await docker.volume(source)) === undefined) await docker.createVolume(source, { labels });
  }
}

async function createAll(
  docker: DockerHost,
  drillId: string,
  { isolation }: StackThere,
  images: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const container of isolation.containers) {
    const [first, ...further] = Object.entries(container.networks);
    const id = await docker.createContainer({
      ...container.config,
      name: container.name,
      Image: images.get(container.live) ?? container.image,
      Labels: {
        [DRILL_LABEL]: drillId,
        [SERVICE_LABEL]: container.service,
        [PORTS_LABEL]: container.ports.map(({ hostPort, port }) => `${hostPort}=${port}`).join(','),
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
    ids.set(container.live, id);
  }
  return ids;
}

function mountOf({ type, source, target, readOnly }: IsolatedMount) {
  return { Type: type, Source: source, Target: target, ReadOnly: readOnly };
}

/** In the order of their dependencies, each level healthy before the next; what comes after a bad one is not started. */
async function startAll(
  docker: DockerHost,
  { component, isolation, inventory }: StackThere,
  { ids, root }: { readonly ids: ReadonlyMap<string, string>; readonly root: string },
  run: Run,
): Promise<StackStarted['checks']> {
  const ordered = inventory.containers.map(({ name, service, config }) => {
    const labels = (config['Labels'] ?? {}) as Record<string, string>;
    return { id: name, project: inventory.project, service, labels };
  });
  const levels = stopLevels(ordered);
  const checks: { component: string; name: string; ok: boolean; detail: string }[] = [];
  for (const level of [...new Set(levels.values())].toSorted((a, b) => b - a)) {
    const now = isolation.containers.filter(({ live }) => levels.get(live) === level);
    run.report({ phase: `start: ${now.map(({ service }) => service).join(', ')}` });
    const began = await Promise.all(
      now.map(async (container) => {
        const id = ids.get(container.live) ?? '';
        const bad = await startOne(docker, { id, container, root, limitSeconds: component.healthTimeoutSeconds }, run);
        const detail = bad ?? 'runs, isolated';
        return { component: component.name, name: `service ${container.service}`, ok: bad === undefined, detail };
      }),
    );
    checks.push(...began);
    if (began.some(({ ok }) => !ok)) break;
  }
  return checks;
}

/** Why it does not run; undefined when it does. */
async function startOne(
  docker: DockerHost,
  {
    id,
    container,
    root,
    limitSeconds,
  }: { id: string; container: IsolatedContainer; root: string; limitSeconds: number },
  run: Run,
): Promise<string | undefined> {
  // Those that run by now may have made a link of what this one mounts.
  const [out] = await linksOut(root, [container]);
  if (out !== undefined) return out;
  try {
    await docker.start(id);
    const known = { id, name: container.service, level: 0, stopSeconds: 0, ran: false, starts: true };
    await untilHealthy(docker, known, limitSeconds, run.signal);
    return undefined;
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof HoldfastError) || !['Unhealthy', 'DockerRefused'].includes(error.code)) throw error;
    return redactText(error.message);
  }
}
