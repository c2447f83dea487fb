/** Puts chunks, lists and checksums into the store: each once, named by content, with bounded memory. */
import { zstdCompressSync } from 'node:zlib';

import { HoldfastError } from '../failures.ts';
import type { ChunkRecipe } from '../part.ts';
import { freeNow } from '../seal/free.ts';
import { chunkId, sealBytes, type SealedChunk, type SealPool, type Wanted } from '../seal/index.ts';
import type { HandedOut, PutOutcome, Store } from '../stores/store.ts';
import type { Epoch } from './epoch.ts';
import type { Stored } from './id-table.ts';
import type { KnownObjects } from './known-objects.ts';
import { Gate } from './mutex.ts';
import { objectKey, sha256Hex, type Room } from './names.ts';
import type { UnreadChunks } from './unread-chunks.ts';

/** Puts under way at once; with chunks of at most 4 MiB this bounds the memory they hold. */
const PUTS_AT_ONCE = 8;
const TINY_CHUNK_BYTES = 64 * 1024;

export interface WriteTally {
  chunksNew: number;
  chunksReused: number;
  storedBytes: number;
}

export interface ObjectWriterOptions {
  readonly store: Store;
  readonly epoch: Epoch;
  readonly recipients: readonly string[];
  readonly known: KnownObjects;
  readonly unread: UnreadChunks;
}

/** A chunk that is in the store. */
export interface StoredChunk {
  readonly id: string;
  readonly lengthBytes: number;
  readonly changed: readonly string[];
  /** It was not known to be there before. */
  readonly added: boolean;
}

/** Who stores a chunk; others that want it wait for the promise. */
interface Claim extends PromiseWithResolvers<undefined> {
  id: string | undefined;
  /** Where the thread puts it by itself. */
  place: HandedOut | undefined;
  /** The threads are done with it, or stopped. */
  sealed: boolean;
}

/** Shared by the sessions of one vault on this host: what one of them is storing, another waits for. */
export class ObjectWriter {
  private readonly options: ObjectWriterOptions;
  private readonly inFlight = new Map<string, Promise<undefined>>();
  private readonly gate = new Gate(PUTS_AT_ONCE);

  constructor(options: ObjectWriterOptions) {
    this.options = options;
  }

  get known(): KnownObjects {
    return this.options.known;
  }

  get unread(): UnreadChunks {
    return this.options.unread;
  }

  /**
   * Resolves when the chunk is in the store. Reads, names and seals on the pool's threads, unless it is tiny. With
   * `readBack` it counts as unread from then on.
   */
  chunk(
    pool: () => SealPool,
    recipe: ChunkRecipe,
    tally: WriteTally,
    signal: AbortSignal,
    readBack: boolean,
  ): Promise<StoredChunk> {
    const claim: Claim = { id: undefined, place: undefined, sealed: false, ...Promise.withResolvers<undefined>() };
    // Nobody may be waiting for it: the error reaches the caller by itself.
    claim.promise.catch(() => undefined);
    const bytes = tinyBytes(recipe);
    const sealing =
      bytes === undefined
        ? pool().seal(recipe, (id) => this.claims(claim, id) && this.place(claim, id))
        : this.sealHere(bytes, (id) => this.claims(claim, id));
    const { done } = recipe;
    if (done !== undefined) sealing.then(done, done);
    // Apart, so that nothing holds the recipe's bytes while the chunk is on its way.
    return this.finishChunk(sealing, claim, tally, signal, readBack);
  }

  private claims(claim: Claim, id: string): boolean {
    if (this.known.has('chunks', id) || this.inFlight.has(id)) return false;
    this.inFlight.set(id, claim.promise);
    claim.id = id;
    return true;
  }

  /** True where the store wants to have the bytes. */
  private async place(claim: Claim, id: string): Promise<Wanted> {
    claim.place = await this.options.store.handOut?.(objectKey('chunks', id));
    // The threads were stopped meanwhile.
    if (claim.sealed) claim.place?.over();
    return claim.place === undefined || { temporary: claim.place.temporary, target: claim.place.target };
  }

  private giveBack(claim: Claim): void {
    claim.sealed = true;
    claim.place?.over();
  }

  private async finishChunk(
    sealing: Promise<SealedChunk>,
    claim: Claim,
    tally: WriteTally,
    signal: AbortSignal,
    readBack: boolean,
  ): Promise<StoredChunk> {
    try {
      // Before it is noted as stored: a sync that begins then must find something to do.
      const chunk = await sealing.finally(() => this.giveBack(claim));
      // Noted first: a crash in between has one read back too many, never one too few.
      if (readBack && claim.id !== undefined) this.unread.add(claim.id);
      if (claim.id === undefined) await this.reuse(chunk.id, tally);
      else if (chunk.placedBytes !== undefined) await this.notePlaced(chunk, chunk.placedBytes, tally);
      else await this.putChunk(chunk, tally, signal);
      claim.resolve(undefined);
      const { id, lengthBytes, changed } = chunk;
      return { id, lengthBytes, changed, added: claim.id !== undefined };
    } catch (error) {
      claim.reject(error);
      throw error;
    } finally {
      if (claim.id !== undefined) this.inFlight.delete(claim.id);
    }
  }

  /** Stores a list node, unless it is known, and returns its id. Small: it is sealed where it is. */
  async list(bytes: Buffer, tally: WriteTally, signal: AbortSignal): Promise<string> {
    const id = chunkId(this.options.epoch.idKey, bytes);
    if (this.known.has('lists', id)) return id;
    await this.put('lists', id, sealBytes(bytes, this.options.recipients), tally, signal);
    return id;
  }

  /** Stores a node of checksums: plain, so that those without a key can compare. */
  async sums(id: string, bytes: Buffer, tally: WriteTally, signal: AbortSignal): Promise<void> {
    if (this.known.has('sums', id)) return;
    await this.put('sums', id, zstdCompressSync(bytes), tally, signal);
  }

  private async sealHere(bytes: Uint8Array, wanted: (id: string) => boolean): Promise<SealedChunk> {
    const id = chunkId(this.options.epoch.idKey, bytes);
    const sealed = wanted(id) ? sealBytes(bytes, this.options.recipients) : undefined;
    return Promise.resolve({ id, lengthBytes: bytes.length, sealed, changed: [] });
  }

  private async notePlaced(chunk: SealedChunk, sizeBytes: number, tally: WriteTally): Promise<void> {
    tally.storedBytes += sizeBytes;
    tally.chunksNew += 1;
    await this.known.add('chunks', chunk.id, { sizeBytes, sha256: chunk.sealedSha256 });
  }

  private async putChunk(
    { id, sealed, sealedSha256 }: SealedChunk,
    tally: WriteTally,
    signal: AbortSignal,
  ): Promise<void> {
    if (sealed === undefined) throw new HoldfastError('Internal', 'a wanted chunk came back without its bytes');
    const outcome = await this.put('chunks', id, sealed, tally, signal, sealedSha256);
    if (outcome === 'written') tally.chunksNew += 1;
    else tally.chunksReused += 1;
    // The pool gave it away, and the store is done with it.
    freeNow(sealed);
  }

  /** Known, or being stored by another call: then its end is awaited, and its failure is ours. */
  private async reuse(id: string, tally: WriteTally): Promise<void> {
    await this.inFlight.get(id);
    tally.chunksReused += 1;
  }

  private async put(
    room: Room,
    id: string,
    bytes: Uint8Array,
    tally: WriteTally,
    signal: AbortSignal,
    sha256 = sha256Hex(bytes),
  ): Promise<PutOutcome> {
    const { store } = this.options;
    const release = await this.gate.acquire();
    try {
      signal.throwIfAborted();
      const key = objectKey(room, id);
      const mine: Stored = { sizeBytes: bytes.length, sha256 };
      const outcome = await store.put(key, bytes, { createOnly: true, sha256, signal });
      if (outcome === 'written') tally.storedBytes += bytes.length;
      await this.known.add(room, id, outcome === 'written' ? mine : await storedNow(store, key));
      return outcome;
    } finally {
      release();
    }
  }
}

/** The bytes of a recipe that is not worth starting a thread for. */
function tinyBytes(recipe: ChunkRecipe): Uint8Array | undefined {
  if (recipe.lengthBytes > TINY_CHUNK_BYTES) return undefined;
  const parts: Uint8Array[] = [];
  for (const piece of recipe.pieces) {
    if (piece.kind !== 'bytes') return undefined;
    parts.push(piece.bytes);
  }
  return Buffer.concat(parts);
}

/** What lies there already: sealed by somebody else, so of another length and checksum than ours. */
async function storedNow(store: Store, key: string): Promise<Stored> {
  const info = await store.head(key);
  if (info === undefined) {
    throw new HoldfastError('StoreUnreachable', `${store.label}: ${key} exists and is not there, both at once`);
  }
  return { sizeBytes: info.sizeBytes, sha256: await store.storedSha256?.(key) };
}
