/** The stores that a provider keeps: the ones with policies and settings. */
import { HoldfastError } from '../failures.ts';
import type { StoreConfig, System } from '../system/types.ts';

export type BucketStore = Extract<StoreConfig, { kind: 's3' | 'gcs' | 'azure' }>;

/** The one that is named, or the only one. Throws BadInput. */
export function bucketStore(system: System, name: string | undefined): BucketStore {
  const buckets = system.stores.filter((store): store is BucketStore => isBucket(store));
  const names = buckets.map((store) => store.name).join(', ');
  if (name !== undefined) {
    const found = buckets.find((store) => store.name === name);
    if (found !== undefined) return found;
    const what = names === '' ? 'no store in a bucket' : `in buckets the stores ${names}`;
    throw new HoldfastError('BadInput', `${system.name} has no store ${name} in a bucket; it has ${what}.`);
  }
  const [only, another] = buckets;
  if (only !== undefined && another === undefined) return only;
  const why = names === '' ? 'has no store in a bucket' : `has several stores in buckets: ${names}; name one`;
  throw new HoldfastError('BadInput', `${system.name} ${why}.`);
}

function isBucket({ kind }: StoreConfig): boolean {
  return kind === 's3' || kind === 'gcs' || kind === 'azure';
}
