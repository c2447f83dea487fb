/** Copies that a sweep settled: they may begin again, under the conditions that docs/decisions/sweeps.md states. */
import { HoldfastError } from '../../failures.ts';
import { mayClearCopy } from '../../policy/sweep.ts';
import type { ObjectInfo, Store } from '../../stores/store.ts';
import { readRecord } from '../envelope.ts';
import { captureSchema } from '../formats.ts';
import { readAtManifestKey } from '../manifest.ts';
import { backupIdOfKey, captureKeyOf } from '../names.ts';
import { nothingRemoved, removeObject } from '../sweep/removal.ts';
import { readSweeps } from '../sweep/sweeps.ts';

/** A tombstone is a signed record of a few names; few manifests are so short, and those are looked at and left. */
export const MAX_TOMBSTONE_BYTES = 2048;
const UNREADABLE = ['ObjectCorrupt', 'ObjectMissing', 'BackupMissing', 'VaultFormat'];

/**
 * Removes the tombstones of copies that a sweep settled, so that they are due again. The caller holds the lock that says
 * that no other attempt to copy into this store lives. Returns how many.
 */
export async function clearSettledCopies(target: Store, signal: AbortSignal): Promise<number> {
  const short: ObjectInfo[] = [];
  for await (const info of target.list('backups/', { signal })) {
    if (info.sizeBytes <= MAX_TOMBSTONE_BYTES) short.push(info);
  }
  let cleared = 0;
  for (const { key, modifiedAtMs } of short) {
    signal.throwIfAborted();
    if (!(await isSettledCopy(target, key))) continue;
    const ageMs = Date.now() - modifiedAtMs;
    if (!mayClearCopy({ lockHeld: true, why: 'swept', ageMs }, await readSweeps(target))) continue;
    // The record first: an old one without a tombstone would be settled again at once.
    await removeObject(target, captureKeyOf(backupIdOfKey(key) ?? ''), nothingRemoved(), signal);
    const tally = nothingRemoved();
    await removeObject(target, key, tally, signal);
    // A lock of the store holds it: a later turn finds it again.
    if (tally.locked === 0) cleared += 1;
  }
  return cleared;
}

/**
 * Only a copy's: a capture that was settled is over, and its name with it. Without its record it was cleared half, when a
 * process died or a lock held the tombstone, or is so old that its end is being removed by a prune.
 */
async function isSettledCopy(target: Store, key: string): Promise<boolean> {
  try {
    const found = await readAtManifestKey(target, key);
    if (found.kind !== 'tombstone' || found.record.body.why !== 'swept') return false;
    const captureKey = captureKeyOf(backupIdOfKey(key) ?? '');
    if ((await target.head(captureKey)) === undefined) return true;
    return readRecord(captureSchema, await target.get(captureKey), captureKey).body.copy === true;
  } catch (error) {
    if (error instanceof HoldfastError && UNREADABLE.includes(error.code)) return false;
    throw error;
  }
}
