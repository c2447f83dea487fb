/** Room for the scratch copies of a search, on this host. */
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { whyNoRoom, type Disk } from '../policy/scratch-room.ts';
import type { KindContext } from '../sources/kinds/component.ts';
import { treeOf } from '../sources/missing/bring.ts';
import type { Component } from '../system/types.ts';
import type { CatalogueEntry } from '../vault/types.ts';

/** By the component's name; those are left out whose copies are made elsewhere, or of which that isn't known. */
export type Disks = ReadonlyMap<string, Disk>;

/** Where copies of the components that this host holds would lie. */
export async function disksOf(components: readonly Component[], host: string, context: KindContext): Promise<Disks> {
  const disks = new Map<string, Disk>();
  for (const component of components.filter((each) => each.host === host)) {
    const directory = await copiesOf(component, context);
    if (directory === undefined) continue;
    const found = await diskOf(directory);
    if (found !== undefined) disks.set(component.name, found);
  }
  return disks;
}

/** A server of PostgreSQL looks itself. */
async function copiesOf(component: Component, context: KindContext): Promise<string | undefined> {
  if (component.kind === 'sqlite') return path.dirname(component.path);
  if (component.kind !== 'files' && component.kind !== 'volume') return undefined;
  try {
    return path.dirname(await treeOf(component, context));
  } catch (error) {
    // A volume that is lost has no place yet.
    if (error instanceof HoldfastError && error.code === 'VolumeMissing') return undefined;
    throw error;
  }
}

/** Of the nearest directory that is there. */
async function diskOf(directory: string): Promise<Disk | undefined> {
  const disk = await statfs(directory).catch(() => undefined);
  if (disk !== undefined) {
    return { directory, freeBytes: disk.bavail * disk.bsize, totalBytes: disk.blocks * disk.bsize };
  }
  const above = path.dirname(directory);
  return above === directory ? undefined : diskOf(above);
}

/** Why this backup can't be looked at; undefined when each of its components has room in its turn. */
export function noRoomFor({ body }: CatalogueEntry, disks: Disks): string | undefined {
  for (const { name, artifacts } of body.components) {
    const disk = disks.get(name);
    if (disk === undefined) continue;
    const neededBytes = artifacts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    const why = whyNoRoom(`a copy of ${name}`, neededBytes, disk);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** Throws NoRoom when none of several backups can be looked at for that reason. */
export function requireRoom(reasons: readonly (string | undefined)[]): void {
  const [first] = reasons;
  if (first !== undefined && reasons.every((why) => why !== undefined)) throw new HoldfastError('NoRoom', first);
}
