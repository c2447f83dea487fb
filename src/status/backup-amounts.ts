/** How much a backup holds, added and took, of its manifest. Pure. */
import type { ComponentRecord } from '../vault/types.ts';
import type { KnownBackup } from './catalogues.ts';

type Manifest = Pick<KnownBackup, 'entry'>;

/** What was captured of a component, as it would be restored. */
export function componentBytes({ artifacts }: Pick<ComponentRecord, 'artifacts'>): number {
  return artifacts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

/** What was captured, as it would be restored. */
export function dataBytes({ entry }: Manifest): number {
  return entry.body.components.reduce((sum, component) => sum + componentBytes(component), 0);
}

/** What capturing it added to the store. */
export function addedBytes({ entry }: Manifest): number {
  return entry.body.components.reduce((sum, { counts }) => sum + counts.storedBytes, 0);
}

/** From the start of the capture to its commit. */
export function durationMs({ entry: { body } }: Manifest): number {
  return Math.max(0, Date.parse(body.finishedAt) - Date.parse(body.startedAt));
}

/** For how long it has kept anything paused or stopped, in all. */
export function downtimeMs({ entry }: Manifest): number {
  return entry.body.freezes.reduce((sum, freeze) => sum + freeze.downtimeMs, 0);
}
