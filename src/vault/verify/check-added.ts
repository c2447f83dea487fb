/** Reads back what a capture added to the store, before a manifest names it. */
import { createHash } from 'node:crypto';
import { HoldfastError } from '../../failures.ts';
import type { OpenPool } from '../../seal/index.ts';
import { checkChunk, WINDOW_CHUNKS } from '../artifact-reader.ts';
import type { ListKeys, Placed } from '../lists.ts';
import { chunksOf } from '../lists.ts';
import type { ObjectSource } from '../sums.ts';
import type { StoredArtifact } from '../types.ts';

export interface AddedInput {
  readonly store: ObjectSource;
  readonly keys: ListKeys;
  readonly pool: OpenPool;
  readonly artifacts: readonly StoredArtifact[];
  readonly signal: AbortSignal;
  readonly onProgress?: (doneBytes: number) => void;
}

/** See ReaderVault.checkAdded; the first thing that is bad ends it. */
export async function checkAdded(input: AddedInput): Promise<void> {
  const { store, pool, signal, onProgress } = input;
  const chunks = addedChunks(input);
  let doneBytes = 0;
  const lane = async (): Promise<void> => {
    // One that fails ends the walk, and so the others.
    for await (const chunk of chunks) {
      await checkChunk(store, pool, chunk, signal);
      doneBytes += chunk.lengthBytes;
      onProgress?.(doneBytes);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: WINDOW_CHUNKS }, lane));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

/** Throws ObjectCorrupt when the lists don't name what was captured. */
async function* addedChunks({ store, keys, artifacts, signal }: AddedInput): AsyncGenerator<Placed> {
  for (const { ref, added } of artifacts) {
    const order = createHash('sha256');
    let index = 0;
    for await (const chunk of chunksOf(store, keys, ref, { start: 0, end: Infinity })) {
      signal.throwIfAborted();
      order.update(chunk.id);
      if (added.has(index)) yield chunk;
      index += 1;
    }
    if (order.digest('hex') !== added.orderSha256()) {
      throw new HoldfastError('ObjectCorrupt', `the lists of ${ref.name} name other chunks than were captured`);
    }
  }
}
