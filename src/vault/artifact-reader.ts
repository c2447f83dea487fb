/** Reads an artifact back: ordered bytes, chunks opened side by side on threads, a bounded number of them in memory. */
import { HoldfastError } from '../failures.ts';
import type { ArtifactReader, MediaType } from '../part.ts';
import type { ExpectedChunk, OpenPool, SealedSource } from '../seal/index.ts';
import { chunksOf, type ListKeys, type Placed } from './lists.ts';
import { objectKey } from './names.ts';
import type { ObjectSource } from './sums.ts';
import type { ArtifactRef } from './types.ts';

/** Chunks, and bytes of them, that are fetched and opened ahead of the reader. */
export const WINDOW_CHUNKS = 16;
const WINDOW_BYTES = 16 * 1024 * 1024;

/** Fetches and opens one chunk. Throws ObjectMissing, ObjectCorrupt, WrongIdentity. */
export function openChunk(
  store: ObjectSource,
  pool: OpenPool,
  chunk: ExpectedChunk,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  return withSealed(store, chunk, (sealed) => pool.open(sealed, chunk), signal);
}

/** Fetches and opens one chunk to see whether it can be. Throws the same. */
export function checkChunk(
  store: ObjectSource,
  pool: OpenPool,
  chunk: ExpectedChunk,
  signal?: AbortSignal,
): Promise<void> {
  return withSealed(store, chunk, (sealed) => pool.check(sealed, chunk), signal);
}

async function withSealed<T>(
  store: ObjectSource,
  chunk: ExpectedChunk,
  use: (sealed: SealedSource) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const key = objectKey('chunks', chunk.id);
  try {
    if (store.localPath !== undefined) return await use({ path: store.localPath(key) });
    return await use(await store.get(key, signal === undefined ? {} : { signal }));
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.details['key'] !== undefined) throw error;
    throw new HoldfastError(error.code, `${key}: ${error.message}`, {
      cause: error,
      details: { ...error.details, key },
    });
  }
}

export class VaultArtifactReader implements ArtifactReader {
  readonly name: string;
  readonly mediaType: MediaType;
  readonly lengthBytes: number;
  private readonly ref: ArtifactRef;
  private readonly store: ObjectSource;
  private readonly keys: ListKeys;
  private readonly pool: OpenPool;

  constructor(ref: ArtifactRef, from: { store: ObjectSource; keys: ListKeys; pool: OpenPool }) {
    this.ref = ref;
    this.name = ref.name;
    this.mediaType = ref.mediaType;
    this.lengthBytes = ref.lengthBytes;
    this.store = from.store;
    this.keys = from.keys;
    this.pool = from.pool;
  }

  async *read(options: { start?: number; end?: number; signal?: AbortSignal } = {}): AsyncGenerator<Uint8Array> {
    const start = Math.max(0, options.start ?? 0);
    const end = Math.min(this.lengthBytes, options.end ?? this.lengthBytes);
    const { signal } = options;
    const opening: { readonly chunk: Placed; readonly bytes: Promise<Uint8Array> }[] = [];
    let ahead = 0;
    const take = async (): Promise<Uint8Array> => {
      const next = opening[0];
      if (next === undefined) throw new HoldfastError('Internal', 'no chunk is being opened');
      const bytes = await next.bytes;
      opening.shift();
      ahead -= next.chunk.lengthBytes;
      signal?.throwIfAborted();
      return within(next.chunk, bytes, start, end);
    };
    try {
      for await (const chunk of chunksOf(this.store, this.keys, this.ref, { start, end })) {
        signal?.throwIfAborted();
        const bytes = openChunk(this.store, this.pool, chunk, signal);
        // Heard when its turn comes.
        bytes.catch(() => undefined);
        opening.push({ chunk, bytes });
        ahead += chunk.lengthBytes;
        while (opening.length >= WINDOW_CHUNKS || ahead > WINDOW_BYTES) yield await take();
      }
      while (opening.length > 0) yield await take();
    } finally {
      await Promise.allSettled(opening.map(({ bytes }) => bytes));
    }
  }
}

/** The part of a chunk that lies between two offsets of the artifact. */
function within(chunk: Placed, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const from = Math.max(0, start - chunk.offset);
  const to = Math.min(bytes.length, end - chunk.offset);
  return from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
}
