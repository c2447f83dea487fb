/** A Compose project: its files, what the engine knows of its containers and images, and the images on request. */
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { HoldfastError } from '../../failures.ts';
import type { Artifact, ArtifactReader } from '../../part.ts';
import type { ComposeComponent } from '../../system/types.ts';
import { findSwap, openSwap } from '../directory-swap.ts';
import { extractTar } from '../extract/extract.ts';
import { isMissing } from '../io-errors.ts';
import { namesIn, RUN_ID } from '../restores-left.ts';
import { treeArtifact } from '../tree/artifact.ts';
import type { Beside, ComponentKind, KeptAside, KindContext, LiveState, RestoreTarget } from './component.ts';
import { createMissing, missingOf, removeCreated } from './compose-create.ts';
import { projectFiles } from './compose-files.ts';
import { parseInventory, takeInventory } from './compose-inventory.ts';
import type { Inventory } from './compose-inventory.ts';
import { resolvedConfiguration } from './compose-resolve.ts';
import { jsonArtifact, readJsonArtifact } from './json-artifact.ts';
import { artifactNamed } from './volume-facts.ts';
import { readJson } from '../durable.ts';

const INVENTORY = 'compose.json';
const INVENTORY_FILE = '.holdfast-inventory.json';
const ASIDE = '.holdfast-aside-';

export const composeKind: ComponentKind<ComposeComponent> = {
  kind: 'compose',

  async capture(component, sink, context) {
    const { files, warnings } = await projectFiles(component.directory, component.files);
    const docker = context.docker();
    const { project: name, directory, saveImages } = component;
    const inventory = await takeInventory(docker, { name, directory, files, saveImages });
    context.report({ phase: 'capture' });
    for (const [index, file] of files.entries()) {
      await sink.store(treeArtifact(join(directory, file), { name: `file-${index}.tar` }));
    }
    await sink.store(jsonArtifact(INVENTORY, inventory));
    const resolved = await resolvedConfiguration(component, context.signal);
    if ('text' in resolved) await sink.store(textArtifact('resolved.yaml', resolved.text));
    for (const image of inventory.images) {
      if (image.artifact === undefined) continue;
      context.report({ phase: `save image ${image.reference}` });
      await sink.store(imageArtifact(image.artifact, image.reference, context));
    }
    const notes = inventory.containers.length === 0 ? [`project ${name} has no containers on this host`] : [];
    return {
      facts: {
        project: name,
        files: files.length,
        containers: inventory.containers.length,
        running: inventory.containers.filter((container) => container.state === 'running').length,
        images: Object.fromEntries(inventory.images.map((image) => [image.reference, image.id])),
        imagesSaved: saveImages,
        resolved: 'text' in resolved ? 'docker compose config' : resolved.why,
      },
      warnings: [...warnings, ...notes],
    };
  },

  inspect: inspectProject,
  restoreBeside: restoreProject,

  async checkBeside(component, beside, context) {
    const there = { name: 'files', ok: true, detail: `${beside.facts['files'] ?? 0} files of ${component.project}` };
    if (beside.facts['elsewhere'] === true) return { ok: true, checks: [there] };
    const inventory = await inventoryBeside(beside);
    const { containers, images } = await missingOf(context.docker(), inventory);
    const ok = images.length === 0;
    const detail = ok
      ? `${containers.length} of ${inventory.containers.length} containers are missing and will be made again`
      : `not on this machine and not in the backup: ${images.join(', ')}; load or pull them first`;
    return { ok, checks: [there, { name: 'images', ok, detail }] };
  },

  async swapIn(component, beside, context) {
    if (beside.facts['elsewhere'] === true) return;
    const inventory = await inventoryBeside(beside);
    const pairs = filesOf(beside).map((file) => ({
      live: join(component.directory, file),
      beside: join(beside.place, file),
    }));
    for (const { live } of pairs) await mkdir(dirname(live), { recursive: true });
    const swap = await openSwap(swapDirectory(context), swapId(component, beside), pairs);
    await swap.swap();
    const made = await createMissing(context.docker(), inventory, beside.restoreId);
    if (made.length > 0) context.report({ phase: `made ${made.join(', ')}` });
  },

  async swapBack(component, beside, context) {
    const swap = await findSwap(swapDirectory(context), swapId(component, beside));
    if (swap === undefined) return;
    await removeCreated(context.docker(), component.project, beside.restoreId);
    await swap.undo();
    await swap.close();
  },

  async commit(component, beside, { keep }, context) {
    if (beside.facts['elsewhere'] === true) return {};
    const aside = join(component.directory, `${ASIDE}${safe(beside.restoreId)}`);
    const swap = await findSwap(swapDirectory(context), swapId(component, beside));
    if (swap === undefined && !keep) await rm(aside, { recursive: true, force: true });
    if (swap === undefined) return (await exists(aside)) ? { aside } : {};
    if (!keep) await rm(beside.place, { recursive: true, force: true });
    else if (await exists(beside.place)) {
      await rm(join(beside.place, INVENTORY_FILE), { force: true });
      await rename(beside.place, aside);
    }
    await swap.close();
    return keep ? { aside } : {};
  },

  async keptAside({ name, directory }, context) {
    const kept: KeptAside[] = [];
    for (const file of (await namesIn(directory)).toSorted()) {
      const restoreId = file.slice(ASIDE.length);
      // Other kinds keep theirs in such directories too, under names that end with the component's.
      if (!file.startsWith(ASIDE) || !RUN_ID.test(restoreId)) continue;
      const place = join(directory, file);
      const swap = await findSwap(swapDirectory(context), `${restoreId}.${name}`);
      // Its new name was its last change.
      kept.push({ restoreId, place, sinceMs: (await stat(place)).ctimeMs, committed: swap === undefined, usedBy: [] });
    }
    return kept;
  },

  async discard(component, beside, context) {
    if ((await findSwap(swapDirectory(context), swapId(component, beside))) !== undefined) {
      throw new HoldfastError('PlanChanged', `Restore ${beside.restoreId} of ${component.project} is swapped in`);
    }
    await rm(beside.place, { recursive: true, force: true });
  },

  async discardLeft(component, restoreId, context) {
    const beside: Beside = {
      component: component.name,
      restoreId,
      place: placeBeside(component, restoreId),
      facts: {},
    };
    const swap = await findSwap(swapDirectory(context), swapId(component, beside));
    if (swap !== undefined) {
      if (!(await swap.untouched())) {
        throw new HoldfastError(
          'PlanChanged',
          `Restore ${restoreId} of ${component.project} is swapped in: ${beside.place} holds the old files`,
        );
      }
      await swap.close();
    }
    await rm(beside.place, { recursive: true, force: true });
  },
};

function placeBeside({ directory }: ComposeComponent, restoreId: string): string {
  return join(directory, `.holdfast-restore-${safe(restoreId)}`);
}

function textArtifact(name: string, text: string): Artifact {
  return { ...jsonArtifact(name, ''), mediaType: 'application/octet-stream', segments: () => oneStream(text) };
}

async function* oneStream(text: string): ReturnType<Artifact['segments']> {
  await Promise.resolve();
  yield {
    kind: 'stream',
    cut: 'content',
    async *open() {
      await Promise.resolve();
      yield new TextEncoder().encode(text);
    },
  };
}

function imageArtifact(name: string, reference: string, context: KindContext): Artifact {
  return {
    name,
    mediaType: 'application/x-tar',
    async *segments() {
      await Promise.resolve();
      yield { kind: 'stream', cut: 'content', open: (signal) => context.docker().saveImages([reference], signal) };
    },
  };
}

async function inspectProject(component: ComposeComponent, context: KindContext): Promise<LiveState> {
  const containers = await context.docker().containersOf({ project: component.project });
  const problems: string[] = [];
  let newestChangeMs: number | undefined;
  for (const file of component.files) {
    try {
      newestChangeMs = Math.max(newestChangeMs ?? 0, (await stat(join(component.directory, file))).mtimeMs);
    } catch (error) {
      if (!isMissing(error)) throw error;
      problems.push(`there is no ${join(component.directory, file)}`);
    }
  }
  return {
    exists: containers.length > 0 || newestChangeMs !== undefined,
    usedBy: containers.filter((container) => container.state === 'running').map((container) => container.name),
    problems,
    ...(newestChangeMs === undefined ? {} : { newestChangeMs }),
  };
}

/**
 * Files into `.holdfast-restore-<id>` of the project directory, or into the target directory. Saved images are loaded
 * only where the reference is missing, so that no tag of this engine changes.
 */
async function restoreProject(
  component: ComposeComponent,
  artifacts: readonly ArtifactReader[],
  target: RestoreTarget,
  restoreId: string,
  context: KindContext,
): Promise<Beside> {
  const inventory = parseInventory(await readJsonArtifact(artifactNamed(artifacts, INVENTORY), context.signal));
  if (inventory === undefined) throw new HoldfastError('ArchiveBroken', `${INVENTORY} is not a project's inventory`);
  const wanted = chosen(inventory.files, target.paths);
  const place = target.elsewhere ?? placeBeside(component, restoreId);
  if (target.elsewhere === undefined) await replaceOwn(component, place, restoreId, context);
  else await mustBeOwnOrNew(place, restoreId);
  await mkdir(place, { recursive: true, mode: 0o700 });
  // Containers' environments hold secrets: a copy that stays elsewhere only says whose it is.
  const kept = target.elsewhere === undefined ? { restoreId, inventory } : { restoreId };
  await writeFile(join(place, INVENTORY_FILE), JSON.stringify(kept), { mode: 0o600 });
  for (const file of wanted) {
    await restoreFile(artifactNamed(artifacts, `file-${inventory.files.indexOf(file)}.tar`), place, file, context);
  }
  if (target.elsewhere === undefined) await loadMissingImages(inventory, artifacts, context);
  return {
    component: component.name,
    restoreId,
    place,
    facts: { files: wanted.length, list: JSON.stringify(wanted), elsewhere: target.elsewhere !== undefined },
  };
}

function chosen(files: readonly string[], paths: readonly string[]): string[] {
  for (const path of paths) {
    if (!files.includes(path)) throw new HoldfastError('BadInput', `${path} is not among ${files.join(', ')}`);
  }
  for (const file of files) {
    if (file.startsWith('/') || file.split('/').includes('..')) {
      throw new HoldfastError('UnsafePath', `The backup names the file ${file}`);
    }
  }
  return files.filter((file) => paths.length === 0 || paths.includes(file));
}

async function replaceOwn(
  component: ComposeComponent,
  place: string,
  restoreId: string,
  context: KindContext,
): Promise<void> {
  if ((await findSwap(swapDirectory(context), `${restoreId}.${component.name}`)) !== undefined) {
    throw new HoldfastError('PlanChanged', `Restore ${restoreId} of ${component.project} is swapped in already`);
  }
  await rm(place, { recursive: true, force: true });
}

/** A directory of somebody else's is never written into. */
async function mustBeOwnOrNew(place: string, restoreId: string): Promise<void> {
  if (!(await exists(place))) return;
  const found = (await readJson(join(place, INVENTORY_FILE))) as { restoreId?: string } | undefined;
  if (found?.restoreId !== restoreId) throw new HoldfastError('TargetNotEmpty', `${place} exists already`);
  await rm(place, { recursive: true, force: true });
}

/** The archive of a single file holds it under its own name. */
async function restoreFile(artifact: ArtifactReader, place: string, file: string, context: KindContext): Promise<void> {
  const { signal } = context;
  const unpacked = join(place, `.unpack`);
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked, { mode: 0o700 });
  await extractTar(() => artifact.read({ signal }), unpacked, { signal });
  const goal = join(place, file);
  await mkdir(dirname(goal), { recursive: true });
  await rename(join(unpacked, file.split('/').at(-1) ?? file), goal);
  await rm(unpacked, { recursive: true, force: true });
}

async function loadMissingImages(
  inventory: Inventory,
  artifacts: readonly ArtifactReader[],
  context: KindContext,
): Promise<void> {
  const docker = context.docker();
  for (const image of inventory.images) {
    const saved = artifacts.find((artifact) => artifact.name === image.artifact);
    if (saved === undefined || (await docker.describeImage(image.reference)) !== undefined) continue;
    context.report({ phase: `load image ${image.reference}` });
    await docker.loadImages(saved.read({ signal: context.signal }), context.signal);
  }
}

async function inventoryBeside(beside: Beside): Promise<Inventory> {
  const found = (await readJson(join(beside.place, INVENTORY_FILE))) as { inventory?: unknown } | undefined;
  const inventory = parseInventory(found?.inventory);
  if (inventory !== undefined) return inventory;
  throw new HoldfastError('SourceMissing', `The restored copy ${beside.place} is not whole; restore it again`);
}

function filesOf(beside: Beside): string[] {
  const value: unknown = JSON.parse(String(beside.facts['list'] ?? '[]'));
  return Array.isArray(value) ? value.filter((file) => typeof file === 'string') : [];
}

function swapDirectory(context: KindContext): string {
  return join(context.stateDirectory, 'swaps');
}

function swapId(component: ComposeComponent, beside: Beside): string {
  return `${beside.restoreId}.${component.name}`;
}

function safe(restoreId: string): string {
  return restoreId.replaceAll(/[^\w.-]/g, '-');
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
