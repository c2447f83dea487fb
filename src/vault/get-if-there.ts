/** Objects that may have been removed since they were listed or named. */
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/index.ts';

/** Undefined when there is none; every other failure is thrown. */
export async function getIfThere(store: Store, key: string): Promise<Uint8Array | undefined> {
  try {
    return await store.get(key);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ObjectMissing') return undefined;
    throw error;
  }
}
