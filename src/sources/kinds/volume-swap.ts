/**
 * A restored copy takes a volume's place. Docker can't rename volumes, so their data directories change names, under a
 * journal, while no container has either of them mounted. The volume itself, with its labels, stays.
 */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { z } from 'zod';

import type { DockerHost, VolumeFacts } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import type { VolumeComponent } from '../../system/types.ts';
import { findSwap, openSwap } from '../directory-swap.ts';
import type { Beside, KeptAside, KindContext } from './component.ts';
import {
  asideName,
  copiedLabels,
  dataDirectory,
  liveVolume,
  madeBy,
  mustBelongToNobody,
  mustBeUnused,
  RESTORE_LABEL,
  ROLE_LABEL,
} from './volume-place.ts';

export function swapDirectory(context: KindContext): string {
  return join(context.stateDirectory, 'swaps');
}

export function swapId(component: VolumeComponent, restoreId: string): string {
  return `${restoreId}.${component.name}`;
}

const stayed = (beside: Beside): boolean => beside.facts['elsewhere'] === true;

/** Throws VolumeInUse as long as a container has one of the two mounted; a restore elsewhere has nothing to swap. */
export async function swapVolumeIn(component: VolumeComponent, beside: Beside, context: KindContext): Promise<void> {
  if (stayed(beside)) return;
  const docker = context.docker();
  const copy = await liveVolume(docker, beside.place);
  const live = await liveOrNew(docker, component, beside);
  const doing = `Swap in the restored ${component.volume}`;
  const both = [component.volume, beside.place];
  await mustBeUnused(docker, both, doing);
  context.signal.throwIfAborted();
  const pair = { live: dataDirectory(live), beside: dataDirectory(copy) };
  const swap = await openSwap(swapDirectory(context), swapId(component, beside.restoreId), [pair]);
  await swap.swap();
  // One that was started in between has the old directory mounted, which is beside by now.
  await mustBeUnused(docker, both, doing);
}

/** The new-machine case: the volume is made with the labels that the backup knows, so that Compose accepts it. */
async function liveOrNew(docker: DockerHost, component: VolumeComponent, beside: Beside): Promise<VolumeFacts> {
  const found = await docker.volume(component.volume);
  if (found !== undefined) return found;
  const kept = z.record(z.string(), z.string()).parse(JSON.parse(String(beside.facts['keptLabels'] ?? '{}')));
  const labels = copiedLabels(kept, beside.restoreId, 'live');
  return await docker.createVolume(component.volume, { labels });
}

/** Undoes a swap, also a half-done one; what was restored is beside again. Without a swap it does nothing. */
export async function swapVolumeBack(component: VolumeComponent, beside: Beside, context: KindContext): Promise<void> {
  const swap = await findSwap(swapDirectory(context), swapId(component, beside.restoreId));
  const docker = context.docker();
  if (swap !== undefined) {
    await mustBeUnused(docker, [component.volume, beside.place], `Swap back ${component.volume}`);
    await swap.undo();
    await swap.close();
  }
  const live = await docker.volume(component.volume);
  if (beside.facts['liveExisted'] !== false || live === undefined) return;
  // There was no such volume before; it goes only if it is this restore's own and empty.
  if (madeBy(live, beside.restoreId, 'live') && (await isEmpty(live))) await docker.removeVolume(component.volume);
}

/**
 * With `keep` the old data ends in the volume `<name>.aside-<restore id>`, else it is removed, also from there once it was
 * kept. Repeatable; where nothing was swapped nothing is removed. Throws VolumeInUse while a container, in whatever state,
 * has what was kept mounted.
 */
export async function commitVolume(
  component: VolumeComponent,
  beside: Beside,
  options: { keep: boolean },
  context: KindContext,
): Promise<{ aside?: string }> {
  if (stayed(beside)) return {};
  const docker = context.docker();
  const swap = await findSwap(swapDirectory(context), swapId(component, beside.restoreId));
  const aside = asideName(component.volume, beside.restoreId);
  if (swap === undefined) {
    const kept = await docker.volume(aside);
    if (kept === undefined || !madeBy(kept, beside.restoreId, 'aside')) return {};
    if (options.keep) return { aside };
    await removeAside(docker, component, beside.restoreId, context);
    return {};
  }
  const keep = options.keep && beside.facts['liveExisted'] !== false;
  if (keep) await moveAside(docker, component, beside, context);
  await removeOld(docker, beside, keep);
  await swap.close();
  return keep ? { aside } : {};
}

/** The old data changes from the copy's volume into one with a name that says what it is. */
async function moveAside(
  docker: DockerHost,
  component: VolumeComponent,
  beside: Beside,
  context: KindContext,
): Promise<void> {
  const copy = await docker.volume(beside.place);
  const id = asideSwapId(swapId(component, beside.restoreId));
  if (copy === undefined) {
    // Removed already: an earlier attempt came this far.
    await (await findSwap(swapDirectory(context), id))?.close();
    return;
  }
  const name = asideName(component.volume, beside.restoreId);
  const found = await docker.volume(name);
  if (found !== undefined && !madeBy(found, beside.restoreId, 'aside')) {
    throw new HoldfastError('TargetNotEmpty', `There is a volume ${name} already, and this restore did not make it`);
  }
  const labels = copiedLabels(copy.labels, beside.restoreId, 'aside');
  const aside = found ?? (await docker.createVolume(name, { labels }));
  await mustBeUnused(docker, [name, beside.place], `Keep the old ${component.volume} aside`);
  const pair = { live: dataDirectory(aside), beside: dataDirectory(copy) };
  const move = await openSwap(swapDirectory(context), id, [pair]);
  await move.swap();
  if (!(await isEmpty(copy))) {
    throw new HoldfastError('Internal', `Volume ${beside.place} still holds data after its move to ${name}`);
  }
  await docker.removeVolume(beside.place);
  await move.close();
}

async function removeAside(
  docker: DockerHost,
  component: VolumeComponent,
  restoreId: string,
  context: KindContext,
): Promise<void> {
  const name = asideName(component.volume, restoreId);
  if (!(await isCommitted(component, restoreId, context))) {
    throw new HoldfastError('PlanChanged', `Restore ${restoreId} of volume ${component.volume} is not committed yet`);
  }
  await mustBelongToNobody(docker, name);
  context.signal.throwIfAborted();
  await docker.removeVolume(name);
}

/** Found by the labels that only a restore gives, under the name that it gives, so that earlier ones are found too. */
export async function keptVolumes(component: VolumeComponent, context: KindContext): Promise<KeptAside[]> {
  const docker = context.docker();
  const { volumes } = await docker.labelled(ROLE_LABEL, 'aside');
  const kept: KeptAside[] = [];
  for (const name of volumes.filter((each) => each.startsWith(`${component.volume}.aside-`)).toSorted()) {
    const volume = await docker.volume(name);
    const restoreId = volume?.labels[RESTORE_LABEL];
    if (volume === undefined || restoreId === undefined || name !== asideName(component.volume, restoreId)) continue;
    const users = await docker.containersOf({ volume: name });
    kept.push({
      restoreId,
      place: name,
      // The old data came by a change of names, which is the last change of the directory around it.
      sinceMs: (await stat(dirname(dataDirectory(volume)))).ctimeMs,
      committed: await isCommitted(component, restoreId, context),
      usedBy: users.map((user) => user.name),
    });
  }
  return kept;
}

async function isCommitted(component: VolumeComponent, restoreId: string, context: KindContext): Promise<boolean> {
  const id = swapId(component, restoreId);
  const journals = await Promise.all([id, asideSwapId(id)].map((each) => findSwap(swapDirectory(context), each)));
  return journals.every((journal) => journal === undefined);
}

const asideSwapId = (id: string): string => `${id}.aside`;

async function removeOld(docker: DockerHost, beside: Beside, kept: boolean): Promise<void> {
  const copy = await docker.volume(beside.place);
  if (copy === undefined || !madeBy(copy, beside.restoreId, 'copy')) return;
  if (kept && !(await isEmpty(copy))) {
    throw new HoldfastError('Internal', `Volume ${beside.place} holds data that was to be kept aside`);
  }
  await docker.removeVolume(beside.place);
}

async function isEmpty(volume: VolumeFacts): Promise<boolean> {
  return (await readdir(dataDirectory(volume))).length === 0;
}
