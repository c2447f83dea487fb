/** All kinds of components, by name. */
import type { Component } from '../../system/types.ts';
import type { ComponentKind } from './component.ts';
import { composeKind } from './compose.ts';
import { filesKind } from './files.ts';
import { postgresKind } from './postgres.ts';
import { sqliteKind } from './sqlite.ts';
import { systemdKind } from './systemd.ts';
import { volumeKind } from './volume.ts';

const KINDS: Readonly<Record<Component['kind'], ComponentKind>> = {
  compose: composeKind,
  files: filesKind,
  postgres: postgresKind,
  sqlite: sqliteKind,
  systemd: systemdKind,
  volume: volumeKind,
};

export function kindOf(kind: Component['kind']): ComponentKind {
  return KINDS[kind];
}
