/** What a copy's target holds already: asked object by object while it is little, by one listing when it is much. */
import type { ObjectInfo, Store } from '../../stores/store.ts';
import { IdTable } from '../id-table.ts';
import { mapBounded } from '../mutex.ts';
import { parseObjectKey, type Room } from '../names.ts';
import type { Expected } from '../sums.ts';
import type { SweepState } from '../sweep/sweeps.ts';

const HEADS_AT_ONCE = 32;
/** A listing tells of a thousand objects by one request; more unknown objects than this are looked for in one. */
const MOST_HEADS = 4000;
const TWEAKS: Record<Room, number> = { chunks: 0, lists: 0xa5, sums: 0x5a };

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
    if (unknown.length > MOST_HEADS) return this.list();
    await mapBounded(unknown, HEADS_AT_ONCE, async (key) => {
      this.signal.throwIfAborted();
      const info = await this.store.head(key);
      if (info !== undefined) this.note(info);
    });
  }

  private async list(): Promise<void> {
    for (const room of ['chunks', 'lists', 'sums'] as const satisfies readonly Room[]) {
      for await (const info of this.store.list(`${room}/`, { signal: this.signal })) this.note(info);
    }
    this.listed = true;
  }

  private note({ key, sizeBytes, doubtful }: ObjectInfo): void {
    if (sizeBytes > 0 && doubtful !== true) this.add(key, sizeBytes);
  }
}

/** Rooms kept apart in one table: ids are of equal content. */
function tableId(key: string): Buffer | undefined {
  const object = parseObjectKey(key);
  if (object === undefined) return undefined;
  const bytes = Buffer.from(object.id, 'hex');
  bytes[31] = (bytes[31] as number) ^ TWEAKS[object.room];
  return bytes;
}
