/** Archive classes of object stores: which must be thawed, how long it takes and what it costs. */
import type { StoreAddress } from '../system/types.ts';

/** The classes whose objects cannot be read before they were thawed. Google's ARCHIVE can: it only costs more. */
const FROZEN_CLASSES: Readonly<Record<string, readonly string[]>> = {
  s3: ['GLACIER', 'DEEP_ARCHIVE'],
  azure: ['Archive'],
};

/** True when what a store keeps must be thawed to be read. */
export function isArchived(store: StoreAddress): boolean {
  if (!('storageClass' in store)) return false;
  return FROZEN_CLASSES[store.kind]?.includes(store.storageClass) ?? false;
}
