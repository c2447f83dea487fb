/** A volume's data restored into another volume: nothing that is live is touched. */
import type { DockerHost, VolumeFacts } from '../../docker/types.ts';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import type { VolumeComponent } from '../../system/types.ts';
import { findSwap } from '../directory-swap.ts';
import { extractTar } from '../extract/extract.ts';
import type { Beside, KindContext, RestoreTarget } from './component.ts';
import { artifactNamed, keptFacts, TREE } from './volume-facts.ts';
import type { KeptFacts } from './volume-facts.ts';
import {
  copiedLabels,
  copyName,
  dataDirectory,
  DRILL_LABEL,
  madeBy,
  mustBelongToNobody,
  mustBeUnused,
} from './volume-place.ts';
import type { VolumeRole } from './volume-place.ts';
import { swapDirectory, swapId } from './volume-swap.ts';

/**
 * Into `<volume>.restore-<id>` to be swapped in later, or into a new volume of the target's name, where it stays. What an
 * earlier attempt of the same restore left is replaced. Throws TargetNotEmpty when a volume of that name is somebody
 * else's, PlanChanged when this restore has been swapped in already: then the copy is the old data.
 */
export async function restoreVolumeBeside(
  component: VolumeComponent,
  artifacts: readonly ArtifactReader[],
  target: RestoreTarget,
  restoreId: string,
  context: KindContext,
): Promise<Beside> {
  const elsewhere = target.elsewhere;
  if (elsewhere === undefined && target.paths.length > 0) {
    throw new HoldfastError('BadInput', 'Single paths of a volume are restored into another volume, never in place', {
      hint: 'Name a new volume with --target, then copy what you need from it.',
    });
  }
  if (elsewhere !== undefined && !/^[a-zA-Z0-9][\w.-]+$/.test(elsewhere)) {
    throw new HoldfastError('BadInput', `"${elsewhere}" can't be the name of a volume`, {
      hint: 'A volume is restored into another volume: write a name of letters, digits, dot, dash and underscore.',
    });
  }
  if (elsewhere === component.volume) {
    throw new HoldfastError('TargetNotEmpty', `Volume ${elsewhere} is the component's own`, {
      hint: 'Leave out the target to restore into its own place, or name a new volume.',
    });
  }
  if ((await findSwap(swapDirectory(context), swapId(component, restoreId))) !== undefined) {
    throw new HoldfastError('PlanChanged', `Restore ${restoreId} of volume ${component.volume} is swapped in already`);
  }
  const docker = context.docker();
  const facts = await keptFacts(artifacts, context.signal);
  const live = await docker.volume(component.volume);
  // Refused now rather than at the swap, when everything is stopped.
  if (elsewhere === undefined && live !== undefined) dataDirectory(live);
  const place = elsewhere ?? copyName(component.volume, restoreId);
  const role = elsewhere === undefined ? 'copy' : 'elsewhere';
  const labels = target.drill === undefined ? (live ?? facts).labels : {};
  const volume = await emptyVolume(docker, { place, role, restoreId, labels, drill: target.drill });
  const tree = artifactNamed(artifacts, TREE);
  const report = await extractTar(() => tree.read({ signal: context.signal }), dataDirectory(volume), {
    signal: context.signal,
    paths: target.paths,
    devices: 'skip',
    onProgress: ({ bytesDone, filesDone }) =>
      context.report({ phase: 'restore', bytesDone, bytesTotal: tree.lengthBytes, filesDone }),
  });
  return {
    component: component.name,
    restoreId,
    place,
    facts: {
      files: report.files,
      bytes: report.bytes,
      elsewhere: elsewhere !== undefined,
      liveExisted: live !== undefined,
      warnings: report.warnings.join('; '),
      // A missing volume is made at the swap, with what the backup knows of it.
      keptLabels: JSON.stringify(facts.labels),
    },
  };
}

async function emptyVolume(
  docker: DockerHost,
  spec: { place: string; role: VolumeRole; restoreId: string; labels: KeptFacts['labels']; drill: string | undefined },
): Promise<VolumeFacts> {
  const { place, role, restoreId } = spec;
  const found = await docker.volume(place);
  if (found !== undefined) {
    if (!madeBy(found, restoreId, role)) {
      throw new HoldfastError('TargetNotEmpty', `There is a volume ${place} already, and this restore did not make it`);
    }
    await mustBeUnused(docker, [place], 'Replace what an earlier attempt restored');
    await docker.removeVolume(place);
  }
  const drill = spec.drill === undefined ? {} : { [DRILL_LABEL]: spec.drill };
  return await docker.createVolume(place, { labels: { ...copiedLabels(spec.labels, restoreId, role), ...drill } });
}

/** Removes the copy beside; one that was swapped in is refused with PlanChanged. A repeat does nothing. */
export async function discardVolume(component: VolumeComponent, beside: Beside, context: KindContext): Promise<void> {
  if ((await findSwap(swapDirectory(context), swapId(component, beside.restoreId))) !== undefined) {
    throw new HoldfastError('PlanChanged', `Restore ${beside.restoreId} of volume ${component.volume} is swapped in`);
  }
  const docker = context.docker();
  const found = await docker.volume(beside.place);
  const role = beside.facts['elsewhere'] === true ? 'elsewhere' : 'copy';
  if (found !== undefined && madeBy(found, beside.restoreId, role)) await docker.removeVolume(beside.place);
}

/** A swap that was begun and has changed no name yet, or was undone, is forgotten with the copy. */
export async function discardLeftVolume(
  component: VolumeComponent,
  restoreId: string,
  context: KindContext,
): Promise<void> {
  const docker = context.docker();
  const place = copyName(component.volume, restoreId);
  const found = await docker.volume(place);
  if (found === undefined || !madeBy(found, restoreId, 'copy')) return;
  const swap = await findSwap(swapDirectory(context), swapId(component, restoreId));
  if (swap !== undefined && !(await swap.untouched())) {
    throw new HoldfastError(
      'PlanChanged',
      `Restore ${restoreId} of volume ${component.volume} is swapped in: ${place} is the old data`,
    );
  }
  await mustBelongToNobody(docker, place);
  context.signal.throwIfAborted();
  await swap?.close();
  await docker.removeVolume(place);
}
