/**
 * What captures must know of sweeps. A sweep is three create-only records: `sweeps/<name>/condemned` (zstd, one key a
 * line), `sweeps/<name>/deleting.json`, `sweeps/<name>/done.json`. Names sort by time.
 */
import { zstdDecompressSync } from 'node:zlib';

import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import type { KnownObjects } from './known-objects.ts';
import { parseObjectKey } from './names.ts';

/** Condemned lists name at most some millions of keys of about 75 bytes each, compressed. */
const MAX_CONDEMNED_BYTES = 1024 * 1024 * 1024;

export interface SweepState {
  readonly name: string;
  readonly deleting: boolean;
  readonly done: boolean;
}

/**
 * The cache forgets what the sweeps since its last look may have removed, and remembers the last of them. One listing
 * when nothing happened. A sweep that is still deleting began after this capture was recorded, and waits for it.
 */
export async function heedSweeps(store: Store, known: KnownObjects): Promise<void> {
  const seen = known.readSweepSeen();
  const unseen = (await readSweeps(store)).filter((sweep) => sweep.done && sweep.name > seen);
  const last = unseen.at(-1);
  if (last === undefined) return;
  for (const sweep of unseen) await forgetCondemned(store, sweep.name, known);
  await known.settle(() => store.sync());
  known.writeSweepSeen(last.name);
}

/**
 * Throws SweepRunning while a sweep is deleting: what it condemned counts as absent, and a create-only write could not
 * store it again before the sweep is done. Asked before a capture is recorded and again after.
 */
export async function refuseDuringSweep(store: Store): Promise<void> {
  const running = (await readSweeps(store)).find((sweep) => sweep.deleting && !sweep.done);
  if (running === undefined) return;
  throw new HoldfastError('SweepRunning', `${store.label}: the sweep ${running.name} is deleting`);
}

/** In the order of their names, which is that of time. */
export async function readSweeps(store: Store): Promise<SweepState[]> {
  const marks = new Map<string, Set<string>>();
  for await (const { key } of store.list('sweeps/')) {
    const [, name, mark] = key.split('/');
    if (name === undefined || mark === undefined) continue;
    const found = marks.get(name) ?? new Set();
    marks.set(name, found.add(mark));
  }
  return [...marks].map(([name, found]) => ({
    name,
    deleting: found.has('deleting.json'),
    done: found.has('done.json'),
  }));
}

async function forgetCondemned(store: Store, name: string, known: KnownObjects): Promise<void> {
  const packed = await store.get(`sweeps/${name}/condemned`);
  const text = zstdDecompressSync(packed, { maxOutputLength: MAX_CONDEMNED_BYTES }).toString('utf8');
  for (const line of text.split('\n')) {
    const object = parseObjectKey(line);
    if (object !== undefined) known.forget(object.room, object.id);
  }
}
