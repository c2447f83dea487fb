/** What a copy's target holds already: asked object by object while it is little, by one listing when it is much. */
import type { ObjectInfo, Store, StoreKind } from '../../stores/store.ts';
import { idInRoom, IdTable } from '../id-table.ts';
import { mapBounded } from '../mutex.ts';
import { parseObjectKey, type Room } from '../names.ts';
import type { Expected } from '../sums.ts';
import type { SweepState } from '../sweep/sweeps.ts';

const HEADS_AT_ONCE = 32;
/** More unknown objects than this are looked for in a listing of everything. */
const MOST_HEADS = 4000;
/** Where one request lists a thousand objects, so many are read for each unknown one before it is asked for by itself. */
const LISTED_FOR_EACH = 10;
const FEWEST_LISTED_FOR = 100;
const LISTS_THOUSANDS: readonly StoreKind[] = ['s3', 'gcs', 'azure'];
/** In the order of their keys. */
const ROOMS = ['chunks', 'lists', 'sums'] as const satisfies readonly Room[];
const AFTER_ROOMS = 'sums0';

export interface Lacking {
  readonly key: string;
  readonly expected: Expected;
  /** Something of that name is there, of another length: put by another capture, or damaged. */
  readonly thereBytes?: number;
  /** By the target's own word. */
  readonly thereSha256?: string | undefined;
}

/** Believed until `forget`: a sweep may remove what no manifest of the target names. */
export class ObjectsThere {
  private readonly store: Store;
  private readonly signal: AbortSignal;
  private table = new IdTable();
  private listed = false;
  private sweepSeen = '';

  constructor(store: Store, signal: AbortSignal) {
    this.store = store;
    this.signal = signal;
  }

  /** Of these objects, those that are missing or of another length. Doubtful and empty ones count as missing. */
  async lacking(named: ReadonlyMap<string, Expected>): Promise<Lacking[]> {
    const unknown = [...named.keys()].filter((key) => this.sizeOf(key) === undefined);
    if (!this.listed && unknown.length > 0) await this.look(unknown);
    const lacking: Lacking[] = [];
    for (const [key, expected] of named) {
      const thereBytes = this.sizeOf(key);
      if (thereBytes === expected.sizeBytes) continue;
      lacking.push({ key, expected, ...(thereBytes === undefined ? {} : { thereBytes }) });
    }
    return lacking;
  }

  /** It is there now, with this length. */
  add(key: string, sizeBytes: number): void {
    const id = tableId(key);
    if (id !== undefined) this.table.set(id, { sizeBytes, sha256: undefined });
  }

  /** Forgets everything when a sweep became done since it was last asked. */
  heed(sweeps: readonly SweepState[]): void {
    const done = sweeps.findLast((sweep) => sweep.done)?.name ?? '';
    if (this.sweepSeen !== done) this.forget();
    this.sweepSeen = done;
  }

  forget(): void {
    this.table = new IdTable();
    this.listed = false;
  }

  private sizeOf(key: string): number | undefined {
    const id = tableId(key);
    return id === undefined ? undefined : this.table.find(id)?.sizeBytes;
  }

  private async look(unknown: readonly string[]): Promise<void> {
    const most = this.worthListing(unknown.length);
    const seen = most === 0 ? '' : await this.list(most);
    this.listed = seen === AFTER_ROOMS;
    const unseen = this.listed ? [] : unknown.filter((key) => key > seen);
    await mapBounded(unseen, HEADS_AT_ONCE, async (key) => {
      this.signal.throwIfAborted();
      const info = await this.store.head(key);
      if (info !== undefined) this.note(info);
    });
  }

  /** How many objects may be listed to learn of so many. */
  private worthListing(unknown: number): number {
    if (unknown > MOST_HEADS) return Infinity;
    return unknown >= FEWEST_LISTED_FOR && LISTS_THOUSANDS.includes(this.store.kind) ? unknown * LISTED_FOR_EACH : 0;
  }

  /** From the first on, at most so many. Everything up to the key that is returned was seen. */
  private async list(most: number): Promise<string> {
    let left = most;
    for (const room of ROOMS) {
      for await (const info of this.store.list(`${room}/`, { signal: this.signal })) {
        this.note(info);
        left -= 1;
        if (left <= 0) return info.key;
      }
    }
    return AFTER_ROOMS;
  }

  private note({ key, sizeBytes, doubtful }: ObjectInfo): void {
    if (sizeBytes > 0 && doubtful !== true) this.add(key, sizeBytes);
  }
}

function tableId(key: string): Buffer | undefined {
  const object = parseObjectKey(key);
  return object === undefined ? undefined : idInRoom(object.room, object.id);
}
