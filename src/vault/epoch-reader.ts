/** How the objects of one epoch are opened and checked. */
import { HoldfastError } from '../failures.ts';
import { createOpenPool, type OpenPool } from '../seal/index.ts';
import type { Store } from '../stores/store.ts';
import { openEpoch } from './epoch.ts';
import type { ListKeys } from './lists.ts';
import { artifactsOf } from './manifest.ts';
import { checkedBySums, type ObjectSource } from './sums.ts';
import type { ManifestBody } from './types.ts';

export interface EpochReader {
  readonly keys: ListKeys;
  readonly pool: OpenPool;
  /** Why names cannot be checked. */
  readonly lost: HoldfastError | undefined;
}

/** Losing the chunk-id key costs deduplication, never a restore. Throws WrongIdentity. */
export async function openEpochReader(
  store: Store,
  name: string,
  identities: readonly string[],
  threads: number | undefined,
): Promise<EpochReader> {
  const { idKey, lost } = await openOrLose(store, name, identities);
  const pool = createOpenPool({
    identities,
    ...(idKey === undefined ? {} : { chunkIdKey: idKey }),
    ...(threads === undefined ? {} : { threads }),
  });
  return { keys: { identities, idKey }, pool, lost };
}

/** Objects whose names can be checked come from the store as they are; others are compared with their checksums. */
export async function sourceOf(store: Store, epoch: EpochReader, body: ManifestBody): Promise<ObjectSource> {
  if (epoch.lost === undefined) return store;
  return checkedBySums(store, artifactsOf(body), new AbortController().signal);
}

async function openOrLose(
  store: Store,
  name: string,
  identities: readonly string[],
): Promise<{ idKey: Uint8Array | undefined; lost: HoldfastError | undefined }> {
  try {
    return { idKey: (await openEpoch(store, name, identities)).idKey, lost: undefined };
  } catch (error) {
    const isLost = error instanceof HoldfastError && ['ObjectMissing', 'ObjectCorrupt'].includes(error.code);
    if (!isLost) throw error;
    return { idKey: undefined, lost: error };
  }
}
