/** Opens chunks and lists of any epoch to see whether they hold what their name says. For hosts with an identity. */
import { HoldfastError } from '../failures.ts';
import { MAX_CHUNK_BYTES } from '../part.ts';
import { chunkId, openBytes } from '../seal/index.ts';
import type { Store } from '../stores/store.ts';
import { openEpochReader, type EpochReader } from './epoch-reader.ts';
import { listNodeSchema, parseRecord } from './formats.ts';
import { MAX_NODE_BYTES } from './lists.ts';
import type { Room } from './names.ts';

export interface Opener {
  /**
   * `opened`: it holds what its name says. `foreign`: nothing here can open it. Throws ObjectCorrupt. The bytes must not
   * be used afterwards.
   */
  check(room: Exclude<Room, 'sums'>, id: string, bytes: Uint8Array): Promise<'opened' | 'foreign'>;
  close(): Promise<void>;
}

/** Epochs whose key is lost or sealed to others are left out: their objects are `foreign`. */
export async function openOpener(
  store: Store,
  epochs: readonly string[],
  identities: readonly string[],
  threads?: number,
): Promise<Opener> {
  const readers: EpochReader[] = [];
  for (const name of epochs) {
    const reader = await openIfMine(store, name, identities, threads);
    if (reader?.lost === undefined && reader !== undefined) readers.push(reader);
    else await reader?.pool.close();
  }
  return {
    check: (room, id, bytes) => checkInAny(readers, room, id, bytes),
    close: async () => {
      await Promise.all(readers.map(({ pool }) => pool.close()));
    },
  };
}

async function openIfMine(
  store: Store,
  name: string,
  identities: readonly string[],
  threads: number | undefined,
): Promise<EpochReader | undefined> {
  try {
    return await openEpochReader(store, name, identities, threads);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'WrongIdentity') return undefined;
    throw error;
  }
}

async function checkInAny(
  readers: readonly EpochReader[],
  room: 'chunks' | 'lists',
  id: string,
  bytes: Uint8Array,
): Promise<'opened' | 'foreign'> {
  let corrupt: HoldfastError | undefined;
  for (const [index, reader] of readers.entries()) {
    try {
      // What is given to a thread is gone; the next epoch needs bytes of its own.
      const own = index === readers.length - 1 ? bytes : Uint8Array.from(bytes);
      if (room === 'lists') checkList(reader, id, own);
      else await reader.pool.check(own, { id, lengthBytes: MAX_CHUNK_BYTES, atMost: true });
      return 'opened';
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === 'WrongIdentity') continue;
      if (error.code !== 'ObjectCorrupt' && error.code !== 'VaultFormat') throw error;
      corrupt ??= error;
    }
  }
  if (corrupt === undefined) return 'foreign';
  throw new HoldfastError('ObjectCorrupt', corrupt.message, { cause: corrupt, details: { opened: true } });
}

function checkList({ keys }: EpochReader, id: string, sealed: Uint8Array): void {
  const bytes = openBytes(sealed, keys.identities, MAX_NODE_BYTES);
  if (keys.idKey === undefined || chunkId(keys.idKey, bytes) !== id) {
    throw new HoldfastError('ObjectCorrupt', `the list ${id} is another than its name says`);
  }
  parseRecord(listNodeSchema, bytes, id);
}
