/** A limit of bytes a second around any store. Listings and questions about objects are not counted. */
import type { Store, StoreVersions } from './store.ts';
import { TokenBucket } from './token-bucket.ts';

/** What a first read is taken for, before anything is known of the sizes. */
const FIRST_GUESS_BYTES = 64 * 1024;

/** By the store's label: however often a process opens a store, it has one limit. */
const buckets = new Map<string, TokenBucket>();

/**
 * The same store, whose puts and gets together move at most so many bytes a second in this process, measured over a few
 * objects. Bytes that would pass by it are led through it: there is neither `handOut` nor `localPath`.
 */
export function limited(store: Store, bytesPerSecond: number): Store {
  const bucket = bucketOf(store.label, bytesPerSecond);
  const guess = { bytes: FIRST_GUESS_BYTES };
  const counted = async (signal: AbortSignal | undefined, get: () => Promise<Uint8Array>): Promise<Uint8Array> => {
    const guessed = guess.bytes;
    await bucket.take(guessed, signal);
    let moved = 0;
    try {
      const bytes = await get();
      moved = bytes.length;
      guess.bytes = Math.round((guess.bytes + moved) / 2);
      return bytes;
    } finally {
      bucket.settle(moved - guessed);
    }
  };
  const { locks, cold, replication, versions } = store;
  return {
    label: store.label,
    kind: store.kind,
    put: async (key, bytes, options) => {
      await bucket.take(bytes.length, options.signal);
      return store.put(key, bytes, options);
    },
    get: (key, options) => counted(options?.signal, () => store.get(key, options)),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    delete: (key) => store.delete(key),
    sync: () => store.sync(),
    close: () => store.close(),
    ...(store.storedSha256 === undefined ? {} : { storedSha256: (key: string) => sha256Of(store, key) }),
    ...(versions === undefined ? {} : { versions: limitedVersions(versions, counted) }),
    ...(locks === undefined ? {} : { locks }),
    ...(cold === undefined ? {} : { cold }),
    ...(replication === undefined ? {} : { replication }),
  };
}

async function sha256Of(store: Store, key: string): Promise<string | undefined> {
  return store.storedSha256?.(key);
}

function limitedVersions(
  versions: StoreVersions,
  counted: (signal: AbortSignal | undefined, get: () => Promise<Uint8Array>) => Promise<Uint8Array>,
): StoreVersions {
  return {
    list: (prefix, options) => versions.list(prefix, options),
    get: (key, versionId, options) => counted(options?.signal, () => versions.get(key, versionId, options)),
    delete: (key, versionId) => versions.delete(key, versionId),
  };
}

function bucketOf(label: string, bytesPerSecond: number): TokenBucket {
  const there = buckets.get(label);
  if (there?.bytesPerSecond === bytesPerSecond) return there;
  const bucket = new TokenBucket(bytesPerSecond);
  buckets.set(label, bucket);
  return bucket;
}
