/** What a store does with versions and locks, found by trying. */
import { HoldfastError } from '../failures.ts';
import type { ObjectVersion, Store } from './store.ts';

/** `untold`: these credentials may not ask. */
export type VersionFact = 'kept' | 'none' | 'untold';
/** `none`: the system file asks for no locks. `untried`: these credentials may not lock, or not delete for good. */
export type LockFact = 'held' | 'none' | 'untried';

/** Long enough to be tried, and soon over. */
const LOCK_PROBE_MS = 60_000;

/** Locks an object that is there and tries to delete it for good. Throws StoreUnfit when the store lets it go. */
export async function probeLocks(store: Store, key: string, notes: string[]): Promise<LockFact> {
  const { locks, versions } = store;
  if (locks === undefined) return 'none';
  try {
    await locks.extend(key, Date.now() + LOCK_PROBE_MS);
    if (versions === undefined) await store.delete(key);
    else for (const one of await versionsUnder(store, key)) await versions.delete(one.key, one.versionId);
  } catch (cause) {
    if (isLocked(cause)) return 'held';
    if (!isDenied(cause)) throw cause;
    notes.push('Whether a lock holds was not tried: these credentials may not lock, or not delete for good.');
    return 'untried';
  }
  throw unfit(store, 'it accepts a lock and lets the object be deleted all the same');
}

/** Looks for what the probe deleted, and removes it for good where that is allowed. */
export async function probeVersions(store: Store, base: string, notes: string[]): Promise<VersionFact> {
  const { versions } = store;
  if (versions === undefined) return 'none';
  let found: ObjectVersion[];
  try {
    found = await versionsUnder(store, base);
  } catch (cause) {
    if (!isDenied(cause)) throw cause;
    return 'untold';
  }
  let left = 0;
  for (const { key, versionId } of found) {
    try {
      await versions.delete(key, versionId);
    } catch (cause) {
      if (!isDenied(cause) && !isLocked(cause)) throw cause;
      left += 1;
    }
  }
  if (left > 0)
    notes.push(`${left} versions of the probe's few bytes stay: locked, or not for these credentials to delete.`);
  if (found.length === 0) return 'none';
  // Where nothing may be deleted, what is found is only what is there.
  return found.some(({ latest, deleteMarker }) => !latest || deleteMarker) ? 'kept' : 'untold';
}

async function versionsUnder(store: Store, prefix: string): Promise<ObjectVersion[]> {
  const found: ObjectVersion[] = [];
  for await (const version of store.versions?.list(prefix) ?? []) found.push(version);
  return found;
}

export function isDenied(cause: unknown): boolean {
  return cause instanceof HoldfastError && cause.code === 'StoreDenied';
}

export function isLocked(cause: unknown): boolean {
  return cause instanceof HoldfastError && cause.code === 'StoreLocked';
}

export function unfit(store: Store, what: string): HoldfastError {
  return new HoldfastError('StoreUnfit', `The ${store.label} is not fit for a vault: ${what}.`);
}
