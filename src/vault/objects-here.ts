/** What this host keeps for capturing into one vault: the cache of known objects, the writer above it, the threads. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { HoldfastError } from '../failures.ts';
import type { ChunkRecipe } from '../part.ts';
import { createSealPool, type SealPool } from '../seal/index.ts';
import type { Store } from '../stores/store.ts';
import { gearTable } from './cut.ts';
import type { Epoch } from './epoch.ts';
import { KnownObjects } from './known-objects.ts';
import { mapBounded } from './mutex.ts';
import { HEAD_KEY, parseObjectKey, sha256Hex, type Room } from './names.ts';
import { ObjectWriter } from './object-writer.ts';
import { heedQuarantine } from './verify/quarantine.ts';
import { ReuseCache } from './reuse-cache.ts';
import { readSums } from './sums.ts';
import { heedSweeps } from './sweep/sweeps.ts';
import { UnreadChunks } from './unread-chunks.ts';

const SUMS_AT_ONCE = 8;
const UNREADABLE = ['ObjectMissing', 'ObjectCorrupt', 'VaultFormat'];

export interface ObjectsHereOptions {
  readonly store: Store;
  readonly epoch: Epoch;
  readonly recipients: readonly string[];
  /** Of this vault on this host. */
  readonly directory: string;
  readonly threads: number | undefined;
  readonly level: number | undefined;
}

/** Made when the first session needs it: a backup with nothing to do starts no thread. */
export class ObjectsHere {
  readonly writer: ObjectWriter;
  readonly gear: Int32Array;
  private readonly options: ObjectsHereOptions;
  private readonly known: KnownObjects;
  private readonly unread: UnreadChunks;
  private readonly pools = new Map<string, SealPool>();

  private constructor(options: ObjectsHereOptions, known: KnownObjects, unread: UnreadChunks) {
    this.options = options;
    this.known = known;
    this.unread = unread;
    this.writer = new ObjectWriter({ ...options, known, unread });
    this.gear = gearTable(options.epoch.idKey);
  }

  static async open(options: ObjectsHereOptions): Promise<ObjectsHere> {
    const { store, epoch, directory } = options;
    const name = `${epoch.name}-${sha256Hex(Buffer.from(store.label)).slice(0, 8)}`;
    // A store that was lost and made again holds the same vault under the same label, and none of its objects.
    const head = await store.head(HEAD_KEY);
    const place = head === undefined ? {} : { place: String(head.modifiedAtMs) };
    const { known, found } = await KnownObjects.open({ directory, name, ...place });
    const unread = new UnreadChunks(join(directory, `${name}.unread`));
    if (!found) await learnFromStore(store, known, unread);
    return new ObjectsHere(options, known, unread);
  }

  /** Takes account of sweeps and of what was put aside since the last look. */
  async heedSweeps(): Promise<void> {
    await heedSweeps(this.options.store, this.known);
    await heedQuarantine(this.options.store, this.known);
  }

  /** The threads of this capture: one file key for each capture, so another capture has threads of its own. */
  pool(captureId: string): SealPool {
    const there = this.pools.get(captureId);
    if (there !== undefined) return there;
    const { recipients, epoch, threads, level } = this.options;
    const pool = createSealPool({
      recipients,
      chunkIdKey: epoch.idKey,
      ...(threads === undefined ? {} : { threads }),
      ...(level === undefined ? {} : { level }),
    });
    this.pools.set(captureId, pool);
    return pool;
  }

  /** Resolves when this capture's threads can take more. */
  async ready(captureId: string): Promise<void> {
    await this.pools.get(captureId)?.ready();
  }

  /** Threads start now instead of with the first chunk; nobody waits for them. */
  warm(captureId: string): void {
    const pool = this.pool(captureId);
    const recipe: ChunkRecipe = { pieces: [{ kind: 'bytes', bytes: new Uint8Array(1) }], lengthBytes: 1 };
    for (let thread = this.options.threads ?? availableParallelism(); thread > 0; thread -= 1) {
      // A thread that can't start fails the first chunk with the reason.
      pool.seal(recipe, () => false).catch(() => undefined);
    }
  }

  reuseCache(component: string): Promise<ReuseCache> {
    const name = `${this.options.epoch.name}-${sha256Hex(Buffer.from(component)).slice(0, 16)}`;
    return ReuseCache.open(join(this.options.directory, `reuse-${name}`));
  }

  /** These are not in the store any more: the next capture that meets them stores them again. */
  async forget(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const object = parseObjectKey(key);
      if (object !== undefined) this.known.forget(object.room, object.id);
    }
    await this.settle();
  }

  /** Everything put so far is durable when this resolves. Nothing is done when nothing was put. */
  settle(): Promise<void> {
    return this.known.settle(async () => {
      await this.options.store.sync();
      this.unread.sync();
    });
  }

  async close(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.close()));
    await this.known.close();
    this.unread.close();
  }
}

/**
 * A lost cache must not store everything again: the listing says what is there, the stored checksums with what sums. Where
 * only the newest of it was lost, by a power cut, nobody has read back what is new in the listing.
 */
async function learnFromStore(store: Store, known: KnownObjects, unread: UnreadChunks): Promise<void> {
  const newestLost = known.size > 0;
  const sumIds: string[] = [];
  for (const room of ['chunks', 'lists', 'sums'] as const satisfies readonly Room[]) {
    for await (const { key, sizeBytes, doubtful } of store.list(`${room}/`)) {
      const object = parseObjectKey(key);
      // What a power cut may have emptied is stored again by whoever wants it.
      if (object === undefined || sizeBytes === 0 || doubtful === true) continue;
      if (newestLost && object.room === 'chunks' && !known.has('chunks', object.id)) unread.add(object.id);
      known.learn(object.room, object.id, { sizeBytes, sha256: undefined });
      if (room === 'sums') sumIds.push(object.id);
    }
  }
  await mapBounded(sumIds, SUMS_AT_ONCE, (id) => learnSums(store, known, id));
}

async function learnSums(store: Store, known: KnownObjects, id: string): Promise<void> {
  const node = await readSums(store, id).catch((error: unknown) => {
    // One that cannot be read teaches nothing; verification reports it.
    if (error instanceof HoldfastError && UNREADABLE.includes(error.code)) return undefined;
    throw error;
  });
  if (node === undefined) return;
  for (const [key, sizeBytes, sha256] of node.objects) {
    const object = parseObjectKey(key);
    if (object === undefined || sha256 === null) continue;
    // Stored again since with other bytes: then this checksum is not theirs.
    if (known.stored(object.room, object.id)?.sizeBytes !== sizeBytes) continue;
    known.learn(object.room, object.id, { sizeBytes, sha256 });
  }
}
