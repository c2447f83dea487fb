/** Listings that are short enough to be held whole. */
import type { ObjectInfo, Store } from '../stores/store.ts';

type Listing = Pick<Store, 'list'>;

export async function listed(store: Listing, prefix: string, signal?: AbortSignal): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of store.list(prefix, signal === undefined ? {} : { signal })) found.push(info);
  return found;
}

export async function keysIn(store: Listing, prefix: string, signal?: AbortSignal): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, signal === undefined ? {} : { signal })) keys.push(key);
  return keys;
}
