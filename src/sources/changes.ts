/** Whether files of a component have changed: a print of every fact by which a capture would store them anew. */
import { createHash, type Hash } from 'node:crypto';
import path from 'node:path';
import type { Component, ComposeComponent, FilesComponent } from '../system/types.ts';
import { projectFiles } from './kinds/compose-files.ts';
import { liveGroups, type LivePlace } from './tree/live.ts';

/** Kinds whose changes can be seen without reading them. */
export type WatchedComponent = FilesComponent | ComposeComponent;

export function isWatched(component: Component): component is WatchedComponent {
  return component.kind === 'files' || component.kind === 'compose';
}

/**
 * Equal prints: nothing was changed that a capture would store, except by somebody who set size, times and inode back. What
 * is not there has a print too. Throws PermissionDenied, SourceCorrupt (a Compose file).
 */
export async function printOf(components: readonly WatchedComponent[], signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const component of components) {
    hash.update(`${component.name}\0`);
    if (component.kind === 'files') await addTree(hash, component, signal);
    else await addProject(hash, component, signal);
  }
  return hash.digest('hex').slice(0, 32);
}

async function addProject(
  hash: Hash,
  { directory, files: named }: ComposeComponent,
  signal: AbortSignal,
): Promise<void> {
  const files = await projectFiles(directory, named)
    .then((project) => project.files)
    .catch((error: unknown) => {
      if (isGone(error)) return named;
      throw error;
    });
  for (const file of files) {
    await addTree(hash, { path: path.join(directory, file), include: [], exclude: [] }, signal);
  }
}

async function addTree(hash: Hash, place: LivePlace, signal: AbortSignal): Promise<void> {
  hash.update(`${place.path}\0`);
  try {
    for await (const { fingerprint } of liveGroups(place, signal)) hash.update(`${fingerprint}\n`);
  } catch (error) {
    if (!isGone(error)) throw error;
    hash.update('gone\n');
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SourceMissing';
}
