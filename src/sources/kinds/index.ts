/** All kinds of components, by name. */
import { HoldfastError } from '../../failures.ts';
import type { Component } from '../../system/types.ts';
import type { ComponentKind } from './component.ts';
import { composeKind } from './compose.ts';
import { filesKind } from './files.ts';
import { sqliteKind } from './sqlite.ts';
import { volumeKind } from './volume.ts';

const KINDS: Readonly<Partial<Record<Component['kind'], ComponentKind>>> = {
  compose: composeKind,
  files: filesKind,
  sqlite: sqliteKind,
  volume: volumeKind,
};

/** What can be done with components of this kind. Throws BadSystemFile for one that this program does not know. */
export function kindOf(kind: Component['kind']): ComponentKind {
  const found = KINDS[kind];
  if (found !== undefined) return found;
  throw new HoldfastError('BadSystemFile', `Components of kind ${kind} are not known to this Holdfast`);
}
