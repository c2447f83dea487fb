/** Docker volumes: read where they lie, restored beside, exchanged as directories while nobody uses them. */
import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';

import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import type { VolumeComponent } from '../../system/types.ts';
import { checkData } from '../checks/index.ts';
import { scratchDirectory } from '../checks/scratch.ts';
import { extractTar } from '../extract/extract.ts';
import { treeArtifact } from '../tree/artifact.ts';
import type { TreeArtifact } from '../tree/artifact.ts';
import { prepareScan } from '../tree/scan.ts';
import type { CheckReport, ComponentKind, KindContext, LiveState } from './component.ts';
import { artifactNamed, factsArtifact, TREE } from './volume-facts.ts';
import { activeUsers, dataDirectory, liveVolume } from './volume-place.ts';
import { discardLeftVolume, discardVolume, restoreVolumeBeside } from './volume-restore.ts';
import { commitVolume, keptVolumes, swapVolumeBack, swapVolumeIn } from './volume-swap.ts';
import { newestChangeMs } from './newest-change.ts';

export const volumeKind: ComponentKind<VolumeComponent> = {
  kind: 'volume',

  async hotPass(component, sink, context) {
    const volume = await liveVolume(context.docker(), component.volume);
    context.report({ phase: 'hot pass' });
    await sink.store(dataArtifact(dataDirectory(volume), component));
    // The capture follows inside a freeze, where every ms counts.
    await prepareScan();
  },

  async capture(component, sink, context) {
    const docker = context.docker();
    const volume = await liveVolume(docker, component.volume);
    const tree = dataArtifact(dataDirectory(volume), component);
    context.report({ phase: 'capture' });
    // Inside a freeze the data comes first; what is known of the volume does not change.
    await sink.store(tree);
    await sink.store(factsArtifact(volume));
    const report = tree.report();
    if (report === undefined) throw new HoldfastError('Internal', `Volume ${component.volume} was not read to its end`);
    if (report.files === 0) {
      throw new HoldfastError('SourceEmpty', `Volume ${component.volume} holds no file`);
    }
    const { files, tarBytes, warnings } = report;
    return {
      facts: { volume: volume.name, driver: volume.driver, files, tarBytes },
      warnings: [...warnings],
    };
  },

  async checkCaptured(component, artifacts, context) {
    if (component.check === undefined) return { ok: true, checks: [] };
    return await checkArtifact(component, artifactNamed(artifacts, TREE), context);
  },

  inspect: inspectVolume,

  restoreBeside: restoreVolumeBeside,

  async checkBeside(component, beside, context) {
    const volume = await context.docker().volume(beside.place);
    if (volume === undefined) {
      return { ok: false, checks: [{ name: 'volume', ok: false, detail: `volume ${beside.place} is gone` }] };
    }
    const there = { name: 'volume', ok: true, detail: `${beside.facts['files'] ?? 0} files in ${beside.place}` };
    if (component.check === undefined) return { ok: true, checks: [there] };
    const report = await checkData(component.check, dataDirectory(volume), context);
    return { ok: report.ok, checks: [there, ...report.checks] };
  },

  swapIn: swapVolumeIn,
  swapBack: swapVolumeBack,
  commit: commitVolume,
  keptAside: keptVolumes,
  discard: discardVolume,
  discardLeft: discardLeftVolume,
};

function dataArtifact(directory: string, component: VolumeComponent): TreeArtifact {
  return treeArtifact(directory, { name: TREE, exclude: component.exclude });
}

/** Only what the check looks at is unpacked: one file, or for a command of the operator's all of it. */
async function checkArtifact(
  component: VolumeComponent,
  tree: ArtifactReader,
  context: KindContext,
): Promise<CheckReport> {
  const { check } = component;
  if (check === undefined) return { ok: true, checks: [] };
  await using scratch = await scratchDirectory(context.stateDirectory);
  const directory = join(scratch.path, 'data');
  await mkdir(directory);
  await extractTar(() => tree.read({ signal: context.signal }), directory, {
    signal: context.signal,
    devices: 'skip',
    ...(check.kind === 'command' ? {} : { paths: [check.file] }),
    onProgress: ({ bytesDone, filesDone }) => context.report({ phase: 'check', bytesDone, filesDone }),
  });
  return await checkData(check, directory, context, true);
}

async function inspectVolume(component: VolumeComponent, context: KindContext): Promise<LiveState> {
  const docker = context.docker();
  const volume = await docker.volume(component.volume);
  if (volume === undefined) return { exists: false, usedBy: [], problems: [] };
  const users = (await activeUsers(docker, component.volume)).map((user) => user.name);
  const problems: string[] = [];
  let directory: string;
  try {
    directory = dataDirectory(volume);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { exists: true, usedBy: users, problems: [`${error.message}. ${error.hint}`] };
  }
  try {
    const { sizeBytes, newestMs, complete } = await newestChangeMs(directory, context.signal);
    return {
      exists: true,
      usedBy: users,
      problems,
      ...(complete ? { sizeBytes } : {}),
      ...(newestMs === undefined ? {} : { newestChangeMs: newestMs }),
    };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { exists: true, usedBy: users, problems: [error.message] };
  }
}
