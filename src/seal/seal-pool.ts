/** Sealing on threads: reading, naming, compressing and encrypting happen away from the event loop. */
import type { ChunkRecipe } from '../part.ts';
import { MAX_CHUNK_BYTES } from '../part.ts';
import { HoldfastError } from '../failures.ts';
import { createSealer } from './age.ts';
import { DEFAULT_LEVEL } from './compress.ts';
import { packRecipe } from './recipe-wire.ts';
import { held, ThreadPool } from './thread-pool.ts';
import type { SealedChunk, SealPool, SealPoolOptions } from './types.ts';

export interface SealThreadData {
  readonly fileKey: Uint8Array;
  readonly header: Uint8Array;
  readonly chunkIdKey: Uint8Array;
  readonly level: number;
}

export interface SealRequest {
  /** A recipe in one buffer (recipe-wire.ts), or pieces of memory that all threads share. */
  readonly pieces: Uint8Array | readonly Uint8Array[];
  readonly lengthBytes: number;
  /** The file that this chunk is a part of; undefined when it holds several, or none. */
  readonly series: string | undefined;
}

export interface NamedChunk {
  readonly id: string;
  readonly lengthBytes: number;
  readonly changed: readonly string[];
}

export type ThreadSealed = Pick<SealedChunk, 'placedBytes' | 'sealedSha256'> &
  NamedChunk & { readonly sealed: Uint8Array<ArrayBuffer> | undefined };

/** Some being read or sealed, some waiting for their answers, some queued: a thread never waits for the main thread. */
const PER_THREAD = { jobsPerThread: 8, bytesPerThread: 3 * MAX_CHUNK_BYTES } as const;
const CHUNK_ID_KEY_BYTES = 32;

/** Throws BadInput for recipients or a key that cannot be used. Threads start with the first chunk. */
export function createSealPool(options: SealPoolOptions): SealPool {
  if (options.chunkIdKey.length !== CHUNK_ID_KEY_BYTES) {
    throw new HoldfastError('BadInput', `The chunk-id key has ${options.chunkIdKey.length} bytes instead of 32.`);
  }
  const workerData: SealThreadData = {
    ...createSealer(options.recipients),
    chunkIdKey: Uint8Array.from(options.chunkIdKey),
    level: options.level ?? DEFAULT_LEVEL,
  };
  const entry = new URL('./seal-thread.ts', import.meta.url);
  const pool = new ThreadPool({ entry, workerData, threads: options.threads, ...PER_THREAD });
  return {
    seal: (recipe, wanted) => held(seal(pool, recipe, wanted)),
    ready: () => pool.ready(),
    close: () => pool.close(),
  };
}

async function seal(pool: ThreadPool, recipe: ChunkRecipe, wanted: Parameters<SealPool['seal']>[1]) {
  const { lengthBytes } = recipe;
  if (!(lengthBytes > 0 && lengthBytes <= MAX_CHUNK_BYTES)) {
    throw new HoldfastError('Internal', `A chunk of ${lengthBytes} bytes was asked for; 1 to ${MAX_CHUNK_BYTES} fit.`);
  }
  const shared = sharedPieces(recipe);
  const packed = shared === undefined ? packRecipe(recipe) : undefined;
  const pieces = shared ?? packed ?? [];
  const request: SealRequest = { pieces, lengthBytes, series: seriesOf(recipe) };
  const ask = (question: unknown) => {
    const named = question as NamedChunk;
    return wanted(named.id, named.lengthBytes);
  };
  const transfer = packed === undefined ? [] : [packed.buffer];
  return (await pool.run({ request, transfer, bytes: lengthBytes, ask })) as SealedChunk;
}

/** Undefined when a piece is not in memory that threads share. */
function sharedPieces({ pieces }: ChunkRecipe): Uint8Array[] | undefined {
  const shared: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.kind !== 'bytes' || !(piece.bytes.buffer instanceof SharedArrayBuffer)) return undefined;
    shared.push(piece.bytes);
  }
  return shared;
}

/** A chunk of a large file is one range of it, and padding at its end. */
function seriesOf({ pieces, lengthBytes }: ChunkRecipe): string | undefined {
  const [first, ...rest] = pieces;
  if (first?.kind !== 'range' || rest.some((piece) => piece.kind === 'range')) return undefined;
  return first.length * 2 > lengthBytes ? first.path.toString() : undefined;
}
