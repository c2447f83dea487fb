/** Deleting for good: every version of an object where a store keeps versions, and nothing that a lock holds. */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { mapBounded } from '../mutex.ts';

const DELETES_AT_ONCE = 16;
const BATCH = 512;

export interface Removed {
  objects: number;
  bytes: number;
  /** Left, because a lock of the store holds them. */
  locked: number;
}

export const nothingRemoved = (): Removed => ({ objects: 0, bytes: 0, locked: 0 });

interface Item {
  readonly key: string;
  readonly sizeBytes: number;
  readonly versionId?: string;
}

/** Everything under a prefix, with all versions and marks where there are such. */
export async function* itemsUnder(
  store: Store,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Item & { modifiedAtMs: number }> {
  if (store.versions === undefined) yield* store.list(prefix, { signal });
  else yield* store.versions.list(prefix, { signal });
}

/** Deletes what `wanted` says of a key, below a prefix. A locked version stays and is counted. */
export async function removeUnder(
  store: Store,
  prefix: string,
  wanted: (key: string) => boolean,
  tally: Removed,
  options: { readonly signal: AbortSignal; readonly onProgress?: ((tally: Removed) => void) | undefined },
): Promise<void> {
  const { signal } = options;
  let batch: Item[] = [];
  const flush = async (): Promise<void> => {
    // One after another for one key: some servers, asked for two of its versions at once, answer both and keep one.
    const byKey = [...Map.groupBy(batch, ({ key }) => key).values()];
    await mapBounded(byKey, DELETES_AT_ONCE, async (items) => {
      for (const item of items) {
        // Asked before each: an attempt that has lost its time must not go on deleting beside the next one.
        signal.throwIfAborted();
        await removeItem(store, item, tally);
      }
    });
    batch = [];
    options.onProgress?.(tally);
  };
  for await (const item of itemsUnder(store, prefix, signal)) {
    if (!wanted(item.key)) continue;
    batch.push(item);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
}

/** One object, by its whole key. */
export async function removeObject(store: Store, key: string, tally: Removed, signal: AbortSignal): Promise<void> {
  if (store.versions === undefined) return store.delete(key);
  await removeUnder(store, key, (found) => found === key, tally, { signal });
}

async function removeItem(store: Store, { key, sizeBytes, versionId }: Item, tally: Removed): Promise<void> {
  try {
    if (versionId === undefined) await store.delete(key);
    else await store.versions?.delete(key, versionId);
    tally.objects += 1;
    tally.bytes += sizeBytes;
  } catch (error) {
    // A later sweep finds it unnamed again, and tries again when the lock has ended.
    if (!(error instanceof HoldfastError) || error.code !== 'StoreLocked') throw error;
    tally.locked += 1;
  }
}
