/** What a store really honours, found by trying: some servers accept a condition and then ignore it. */
import { createHash, randomUUID } from 'node:crypto';
import { PROBE_PREFIX } from './keys.ts';
import { isDenied, isLocked, probeLocks, probeVersions, unfit } from './probe-locks.ts';
import type { LockFact, VersionFact } from './probe-locks.ts';
import type { PutOutcome, Store } from './store.ts';

/** Facts of one probe. Everything a vault cannot do without held, or StoreUnfit was thrown. */
export interface StoreFacts {
  readonly label: string;
  /** Of racing create-only writers exactly one won. */
  readonly createOnly: true;
  /** What was written was listed at once, in byte order. */
  readonly listsAfterWriting: true;
  /** The store keeps a checksum of its own: presence can be verified without reading back. */
  readonly keepsSha256: boolean;
  /** False: the credentials may not delete, as a write-only host's should not. */
  readonly mayDelete: boolean;
  /** False: the credentials may not read objects, as a write-only host's should not. */
  readonly mayRead: boolean;
  /** Whether what is deleted stays as a version that can be had back. */
  readonly versions: VersionFact;
  /** Whether a lock, when the system file asks for one, is really held. */
  readonly locks: LockFact;
  /** Objects may lie in a class that has to be thawed before it is read. */
  readonly cold: boolean;
  /** The store's clock, and this machine's before and after it was asked. */
  readonly clock: { readonly beforeMs: number; readonly storeMs: number; readonly afterMs: number };
  readonly notes: readonly string[];
}

const RACERS = 4;

/**
 * Writes a few small objects under `probe/`, looks, and deletes them again. Throws StoreUnfit with the reason when the
 * store does not honour what a vault needs, and the store's own errors when it cannot be reached. Repeats are harmless;
 * where deleting is not allowed, or a lock holds, a few bytes stay each time.
 */
export async function probeStore(store: Store, options: { signal?: AbortSignal } = {}): Promise<StoreFacts> {
  const base = `${PROBE_PREFIX}${randomUUID()}`;
  const race = `${base}-race`;
  const keys = [race, `${base}.a`, `${base}/b`];
  const notes: string[] = [];
  try {
    const beforeMs = Date.now();
    const winner = await probeRace(store, race, options.signal);
    const afterMs = Date.now();
    const storeMs = await probeListing(store, base, keys, options.signal);
    const mayRead = await probeReading(store, race, winner, notes);
    const keepsSha256 = await probeChecksum(store, race, winner, notes);
    const locks = await probeLocks(store, `${base}.a`, notes);
    const mayDelete = await deleteAll(store, keys, notes);
    const versions = await probeVersions(store, base, notes);
    const clock = { beforeMs, storeMs, afterMs };
    const may = { keepsSha256, mayDelete, mayRead, versions, locks, cold: store.cold !== undefined };
    return { label: store.label, createOnly: true, listsAfterWriting: true, ...may, clock, notes };
  } catch (cause) {
    // What was found is what counts; that its traces stay is the smaller trouble.
    await deleteAll(store, keys, notes).catch(() => false);
    throw cause;
  }
}

/** Several writers at once, each with bytes of its own. Returns the bytes of the one that won. */
async function probeRace(store: Store, key: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const writers = Array.from({ length: RACERS }, (_, index) => Buffer.from(`writer ${index} of ${key}\n`));
  const options = { createOnly: true, ...(signal === undefined ? {} : { signal }) };
  const outcomes = await Promise.all(writers.map((bytes) => store.put(key, bytes, options)));
  const winners = writers.filter((_, index) => outcomes[index] === 'written');
  const [winner] = winners;
  if (winner === undefined || winners.length !== 1) {
    throw unfit(store, `of ${RACERS} racing create-only writers ${winners.length} were told that they won`);
  }
  const later: PutOutcome = await store.put(key, Buffer.from('too late'), options);
  if (later !== 'exists') throw unfit(store, 'a create-only write replaced an object that was there');
  return winner;
}

/** Returns when the store says that the first of the keys was written. */
async function probeListing(
  store: Store,
  base: string,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number> {
  for (const key of keys.slice(1)) await store.put(key, Buffer.from(key), { createOnly: true });
  const listed: string[] = [];
  let raceMs = 0;
  for await (const { key, modifiedAtMs } of store.list(base, signal === undefined ? {} : { signal })) {
    listed.push(key);
    if (key === keys[0]) raceMs = modifiedAtMs;
  }
  const missing = keys.filter((key) => !listed.includes(key));
  if (missing.length > 0) throw unfit(store, `${missing.length} of ${keys.length} objects just written are not listed`);
  const [first] = listed;
  const rest: string[] = [];
  for await (const info of store.list(base, first === undefined ? {} : { startAfter: first })) rest.push(info.key);
  const sorted = listed.every((key, index) => index === 0 || (listed[index - 1] ?? '') < key);
  if (!sorted || rest.length !== listed.length - 1)
    throw unfit(store, 'its listing is not in the byte order of the keys');
  return raceMs;
}

async function probeReading(store: Store, key: string, expected: Uint8Array, notes: string[]): Promise<boolean> {
  try {
    const found = await store.get(key);
    if (Buffer.compare(found, expected) !== 0) {
      throw unfit(store, 'the writer that was told it won is not the one whose bytes are there');
    }
    return true;
  } catch (cause) {
    if (!isDenied(cause)) throw cause;
    notes.push('Objects may not be read with these credentials; the content of the probe was not compared.');
    return false;
  }
}

async function probeChecksum(store: Store, key: string, expected: Uint8Array, notes: string[]): Promise<boolean> {
  const none = 'The store keeps no SHA-256 of its own; presence is checked by length and by the sums written beside.';
  const stored = await ownChecksum(store, key);
  if (stored === undefined) {
    notes.push(none);
    return false;
  }
  const sha256 = createHash('sha256').update(expected).digest('hex');
  if (stored !== sha256) throw unfit(store, 'the checksum it keeps is not that of the bytes');
  return true;
}

async function ownChecksum(store: Store, key: string): Promise<string | undefined> {
  try {
    return await store.storedSha256?.(key);
  } catch (cause) {
    // S3 asks for the right to read before it tells a checksum.
    if (isDenied(cause)) return undefined;
    throw cause;
  }
}

async function deleteAll(store: Store, keys: readonly string[], notes: string[]): Promise<boolean> {
  try {
    for (const key of keys) await store.delete(key);
    return true;
  } catch (cause) {
    if (isLocked(cause)) return true;
    if (!isDenied(cause)) throw cause;
    notes.push(`Objects may not be deleted with these credentials; the probe's few bytes under ${PROBE_PREFIX} stay.`);
    return false;
  }
}
