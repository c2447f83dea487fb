/** Where a drill puts what it restores: places and names that no live part can have. */
import path from 'node:path';
import type { Component } from '../../system/types.ts';

/** What a drill makes on one host that is no business of the Docker engine. */
export function drillDirectory(stateDirectory: string, drillId: string): string {
  return path.join(drillsDirectory(stateDirectory), safe(drillId));
}

export function drillsDirectory(stateDirectory: string): string {
  return path.join(stateDirectory, 'drills');
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
      return path.join(drillDirectory(stateDirectory, drillId), component.name, path.basename(component.path));
    case 'postgres':
      return undefined;
  }
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
