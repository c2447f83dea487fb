/** Sealed objects on their way from one store to another: as they are, bounded in number and memory, checked twice. */
import { HoldfastError } from '../../failures.ts';
import type { Store } from '../../stores/store.ts';
import { isWorthRoom, Rooms } from './rooms.ts';
import type { Lacking } from './there.ts';
import { sha256Hex } from '../names.ts';
import type { Expected } from '../sums.ts';

/** Objects on their way at once, and their bytes together. */
const MOST_AT_ONCE = 48;
const BYTES_AT_ONCE = 96 * 1024 * 1024;

export interface CopyTally {
  objects: number;
  bytes: number;
  /** Were damaged or of another length in the target, and are whole now. */
  replaced: number;
}

export interface Transfer {
  readonly sources: Sources;
  readonly target: Store;
  readonly tally: CopyTally;
  readonly signal: AbortSignal;
  /** Called when an object has arrived and was checked. */
  readonly onArrived: (key: string, sizeBytes: number) => void;
  /** Objects at once; default for stores of the network. */
  readonly atOnce?: number;
}

/**
 * Copies all of these. Goes on after an object that no source holds whole, and throws ObjectMissing or ObjectCorrupt at
 * the end, naming the first and how many; whatever else fails ends it at once.
 */
export async function copyObjects(wanted: readonly Lacking[], transfer: Transfer): Promise<void> {
  const lost: HoldfastError[] = [];
  const rooms = new Rooms(BYTES_AT_ONCE);
  const pace = new Pace(transfer.atOnce ?? MOST_AT_ONCE);
  const running = new Set<Promise<void>>();
  const failed: unknown[] = [];
  for (const one of wanted) {
    if (failed.length > 0) break;
    transfer.signal.throwIfAborted();
    await pace.enter(one.expected.sizeBytes);
    const { sizeBytes } = one.expected;
    const work = (
      isWorthRoom(sizeBytes)
        ? rooms.with(sizeBytes, (room) => copyOne(one, transfer, room))
        : copyOne(one, transfer, undefined)
    )
      .catch((error: unknown) => {
        if (isAboutTheObject(error)) lost.push(error);
        else failed.push(error);
      })
      .finally(() => {
        pace.leave(one.expected.sizeBytes);
        running.delete(work);
      });
    running.add(work);
  }
  await Promise.all(running);
  if (failed.length > 0) throw failed[0] instanceof Error ? failed[0] : new HoldfastError('Internal', 'a copy failed');
  const [first] = lost;
  if (first === undefined) return;
  const more = lost.length === 1 ? '' : `, and ${lost.length - 1} more objects`;
  throw new HoldfastError(first.code, `${first.message}${more}`, { cause: first });
}

/** Only what speaks of one object; a store that does not answer ends everything. */
function isAboutTheObject(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && (error.code === 'ObjectMissing' || error.code === 'ObjectCorrupt');
}

async function copyOne(wanted: Lacking, transfer: Transfer, room: Uint8Array | undefined): Promise<void> {
  const { key, expected, thereBytes } = wanted;
  const { target, tally, signal } = transfer;
  const accept = (found: Uint8Array): Uint8Array | undefined => (fits(found, expected) ? found : undefined);
  const bytes = await transfer.sources.fetch(key, signal, accept, room);
  // Known before, so that a store which checks for itself refuses what was damaged on the way.
  const sha256 = expected.sha256 ?? sha256Hex(bytes);
  const replace = thereBytes !== undefined;
  let told: string | undefined;
  const onStoredSha256 = (found: string): void => void (told = found);
  const outcome = await target.put(key, bytes, { createOnly: !replace, sha256, signal, onStoredSha256 });
  // Put by a capture meanwhile: then what lies there is judged by what it says itself.
  if (outcome === 'exists') {
    transfer.onArrived(key, await sizeThere(target, key));
    return;
  }
  await checkArrived(target, key, { sizeBytes: bytes.length, sha256, told }, signal);
  tally.objects += 1;
  tally.bytes += bytes.length;
  if (replace) tally.replaced += 1;
  transfer.onArrived(key, bytes.length);
}

/** Stores to read from, in the order of preference. */
export class Sources {
  private readonly stores: readonly Store[];
  /** Those that gave no answer are not asked again for every object, as long as another may have it. */
  private readonly silent = new Map<Store, HoldfastError>();

  constructor(stores: readonly Store[]) {
    this.stores = stores;
  }

  /** From the first that gives what `accept` takes. Throws ObjectMissing, ObjectCorrupt when none does, or why one is silent. */
  async fetch<T>(
    key: string,
    signal: AbortSignal,
    accept: (bytes: Uint8Array) => T | undefined,
    room?: Uint8Array,
  ): Promise<T> {
    let trouble: HoldfastError | undefined;
    for (const store of this.stores) {
      if (this.silent.has(store)) continue;
      try {
        const taken = accept(await store.get(key, room === undefined ? { signal } : { signal, room }));
        if (taken !== undefined) return taken;
        const what = `${store.label}: ${key} is not as it was stored`;
        trouble ??= new HoldfastError('ObjectCorrupt', what, { details: { key } });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof HoldfastError)) throw error;
        if (isAboutTheObject(error)) trouble ??= error;
        else this.silent.set(store, error);
      }
    }
    const [unasked] = this.silent.values();
    throw unasked ?? trouble ?? new HoldfastError('ObjectMissing', `no store holds ${key}`);
  }
}

function fits(bytes: Uint8Array, { sizeBytes, sha256 }: Expected): boolean {
  return bytes.length === sizeBytes && (sha256 === null || sha256Hex(bytes) === sha256);
}

/** By the target's own checksum, told in its answer or asked for; where it keeps none, by reading back. */
async function checkArrived(
  target: Store,
  key: string,
  sent: { readonly sizeBytes: number; readonly sha256: string; readonly told: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const own = sent.told ?? (await target.storedSha256?.(key));
  const found = own ?? (await readBack(target, key, signal));
  if (found === undefined || found === sent.sha256) return;
  throw new HoldfastError('StoreUnreachable', `${target.label}: ${key} (${sent.sizeBytes} bytes) arrived damaged`, {
    hint: 'It is sent again. When it happens often, look at the network and the disks between.',
  });
}

/** Undefined for who may write and not read: then the store's word that it took the bytes is all there is. */
async function readBack(target: Store, key: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return sha256Hex(await target.get(key, { signal }));
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'StoreDenied') return undefined;
    throw error;
  }
}

async function sizeThere(target: Store, key: string): Promise<number> {
  return (await target.head(key))?.sizeBytes ?? 0;
}

/** Lets so many objects and bytes under way; one that is larger than all goes alone. */
class Pace {
  private readonly limit: number;
  private count = 0;
  private bytes = 0;
  private wake: (() => void) | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  async enter(bytes: number): Promise<void> {
    while (this.count > 0 && (this.count >= this.limit || this.bytes + bytes > BYTES_AT_ONCE)) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    this.count += 1;
    this.bytes += bytes;
  }

  leave(bytes: number): void {
    this.count -= 1;
    this.bytes -= bytes;
    const { wake } = this;
    this.wake = undefined;
    wake?.();
  }
}
