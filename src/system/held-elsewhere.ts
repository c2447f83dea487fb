/** What of a tree other components hold already, so that an archive of a whole machine need not hold it twice. Pure. */
import path from 'node:path';
import type { Component, FilesComponent } from './types.ts';

/** SQLite's own files beside a database (sqlite.org/tempfiles.html). */
const SQLITE_ENDS = ['', '-wal', '-shm', '-journal'];

/**
 * Patterns for its `exclude`. Of a tree that its own component takes only in part nothing is left out: what that passes
 * over would be in no backup at all.
 */
export function heldElsewhere(tree: FilesComponent, components: readonly Component[]): string[] {
  const others = components.filter(({ name, host }) => name !== tree.name && host === tree.host);
  return others
    .flatMap(placesOf)
    .map((place) => path.relative(tree.path, place))
    .filter((inside) => inside !== '' && inside !== '..' && !inside.startsWith('../'))
    .map((inside) => `/${inside.replaceAll(/[\\*?[\]{},]/g, '\\$&')}`);
}

function placesOf(component: Component): string[] {
  switch (component.kind) {
    case 'files':
      return isWhole(component) ? [component.path] : [];
    case 'sqlite':
      return SQLITE_ENDS.map((end) => `${component.path}${end}`);
    case 'postgres':
      return component.method === 'base' && component.dataDirectory !== undefined ? [component.dataDirectory] : [];
    case 'compose':
      return component.files.map((file) => path.resolve(component.directory, file));
    // Where the engine keeps a volume is known to the engine alone; unit files are small.
    case 'volume':
    case 'systemd':
      return [];
  }
}

function isWhole({ include, exclude, minimumAgeSeconds }: FilesComponent): boolean {
  return include.length + exclude.length + minimumAgeSeconds === 0;
}
