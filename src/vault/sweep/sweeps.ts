/** What captures must know of sweeps: when to wait for one, and what one may have removed. */
import { zstdDecompressSync } from 'node:zlib';

import { HoldfastError } from '../../failures.ts';
import { sweepInTheWay, sweepsToHeed } from '../../policy/sweep.ts';
import type { Store } from '../../stores/store.ts';
import type { KnownObjects } from '../known-objects.ts';
import { parseObjectKey } from '../names.ts';
import { readSweeps, sweepKeys } from './sweep-records.ts';

export { readSweeps } from './sweep-records.ts';
export type { SweepMarks as SweepState } from '../../policy/sweep.ts';

/** Condemned lists name at most some millions of keys of about 75 bytes each, compressed. */
const MAX_CONDEMNED_BYTES = 1024 * 1024 * 1024;

/**
 * The cache forgets what the sweeps since its last look may have removed, and remembers the last of them. One listing
 * when nothing happened. A sweep that is still deleting began after this capture was recorded, and waits for it.
 */
export async function heedSweeps(store: Store, known: KnownObjects): Promise<void> {
  const unseen = sweepsToHeed(await readSweeps(store), known.readSweepSeen());
  const last = unseen.at(-1);
  if (last === undefined) return;
  for (const sweep of unseen) await forgetCondemned(store, sweep.name, known);
  await known.settle(() => store.sync());
  known.writeSweepSeen(last.name);
}

/**
 * Throws SweepRunning while a sweep is in the way: what it condemned counts as absent, and a create-only write could not
 * store it again before the sweep is done. Asked before a capture is recorded, when a sweep that waits for the open
 * captures is one too, and again after.
 */
export async function refuseDuringSweep(store: Store, options: { recorded?: boolean } = {}): Promise<void> {
  const running = sweepInTheWay(await readSweeps(store), options.recorded ?? false);
  if (running === undefined) return;
  const doing = running.deleting ? 'is deleting' : 'waits for the captures that have begun';
  throw new HoldfastError('SweepRunning', `${store.label}: the sweep ${running.name} ${doing}`);
}

async function forgetCondemned(store: Store, name: string, known: KnownObjects): Promise<void> {
  const packed = await store.get(sweepKeys.condemned(name));
  const text = zstdDecompressSync(packed, { maxOutputLength: MAX_CONDEMNED_BYTES }).toString('utf8');
  for (const line of text.split('\n')) {
    const object = parseObjectKey(line);
    if (object !== undefined) known.forget(object.room, object.id);
  }
}
