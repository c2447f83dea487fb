/** Where a drill puts what it restores: places and names that no live part can have. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Component } from '../../system/types.ts';

/** What a drill makes on one host that is no business of the Docker engine. */
export function drillDirectory(stateDirectory: string, drillId: string): string {
  return path.join(drillsDirectory(stateDirectory), safe(drillId));
}

export function drillsDirectory(stateDirectory: string): string {
  return path.join(stateDirectory, 'drills');
}

/** Databases lie in it as they lie live, so that a container that mounts a directory with several finds them all. */
export function asLive(stateDirectory: string, drillId: string, live: string): string {
  return path.join(drillDirectory(stateDirectory, drillId), '.live', path.resolve('/', live));
}

/** The target of the restore; undefined for what a kind puts on a scratch server of its own. */
export function scratchTarget(component: Component, stateDirectory: string, drillId: string): string | undefined {
  switch (component.kind) {
    case 'volume':
      return scratchVolume(component.volume, drillId);
    case 'files':
    case 'compose':
    case 'systemd':
      return path.join(drillDirectory(stateDirectory, drillId), component.name);
    case 'sqlite':
      return asLive(stateDirectory, drillId, component.path);
    case 'postgres':
      return undefined;
  }
}

export interface CopiesOfPaths {
  /** Live directory or file → its restored copy. */
  readonly paths: Readonly<Record<string, string>>;
  /** Those of them of which there is only what other components restore below. */
  readonly partly: readonly string[];
}

/**
 * Pure. Of components of one host that were restored, for containers that mount these directories and files of it.
 * `singles`: the components that are one file → its name below their copy.
 */
export function copiesOfPaths(
  components: readonly Component[],
  binds: readonly string[],
  {
    stateDirectory,
    drillId,
    singles = new Map(),
  }: { readonly stateDirectory: string; readonly drillId: string; readonly singles?: ReadonlyMap<string, string> },
): CopiesOfPaths {
  const paths: Record<string, string> = {};
  const databases = new Set<string>();
  for (const one of components) {
    if (one.kind !== 'files' && one.kind !== 'sqlite') continue;
    const target = scratchTarget(one, stateDirectory, drillId);
    if (target === undefined) continue;
    const live = path.resolve('/', one.path);
    paths[live] = path.join(target, singles.get(one.name) ?? '');
    if (one.kind === 'sqlite') databases.add(path.dirname(live));
  }
  const mounted = new Set(binds.map((bind) => path.resolve('/', bind)));
  const partly = [...mounted].filter((live) => databases.has(live) && paths[live] === undefined);
  for (const live of partly) paths[live] = asLive(stateDirectory, drillId, live);
  return { paths, partly };
}

/**
 * Before a component is restored: the directory that its target lies in. Whoever a container runs as writes there, and
 * nobody of the host comes past the directory of the drill.
 */
export async function makeRoom(target: string, stateDirectory: string, drillId: string): Promise<void> {
  const top = drillDirectory(stateDirectory, drillId);
  await mkdir(top, { recursive: true, mode: 0o700 });
  const below = path.relative(top, path.dirname(target)).split(path.sep);
  for (const [index, name] of below.entries()) {
    if (name === '') continue;
    const directory = path.join(top, ...below.slice(0, index + 1));
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o777);
  }
}

/** Where files lie live among databases: the place over which a container mounts them, also one that may only read. */
export async function leavePlace(
  place: string,
  stateDirectory: string,
  drillId: string,
  isFile: boolean,
): Promise<void> {
  await makeRoom(place, stateDirectory, drillId);
  if (isFile) await writeFile(place, '', { flag: 'a' });
  else await mkdir(place, { recursive: true });
}

/** Pure. The engine allows letters, digits, dot, dash and underscore. */
export function scratchVolume(volume: string, drillId: string): string {
  return `${volume}.drill-${safe(drillId)}`;
}

/** Of what a drill makes by itself in the engine. An id begins with its time, which drills of one schedule share. */
export function scratchName(drillId: string): string {
  return `holdfast-drill-${safe(drillId).slice(-12)}`;
}

/** Which images were loaded for it. */
export function imagesNote(stateDirectory: string, drillId: string): string {
  return path.join(drillDirectory(stateDirectory, drillId), '.images.json');
}

/** For people. */
export function wordsOfScratch(component: Component, drillId: string): string {
  switch (component.kind) {
    case 'volume':
      return `volume ${scratchVolume(component.volume, drillId)}`;
    case 'files':
    case 'compose':
    case 'systemd':
    case 'sqlite':
      return `files in a directory of the drill's own`;
    case 'postgres':
      return 'a PostgreSQL server of its own, where this host has the programs';
  }
}

function safe(drillId: string): string {
  return drillId.replaceAll(/[^\w.-]/g, '-');
}
