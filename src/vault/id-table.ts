/** A hash table of 32-byte ids with the size and checksum of what is stored under them: 68 bytes an entry and an index. */
import type { Room } from './names.ts';

export interface Stored {
  /** Sealed bytes, as they lie in the store. */
  readonly sizeBytes: number;
  /** SHA-256 of those bytes (hex); undefined when nobody told. */
  readonly sha256: string | undefined;
}

/** Chunks and lists of equal content have equal ids; flipping bits of the id keeps the rooms apart in one table. */
const TWEAKS: Record<Room, number> = { chunks: 0, lists: 0xa5, sums: 0x5a };

/** `id` (hex) for a table that holds several rooms. */
export function idInRoom(room: Room, id: string): Buffer {
  const bytes = Buffer.from(id, 'hex');
  bytes[31] = (bytes[31] as number) ^ TWEAKS[room];
  return bytes;
}

const ENTRY_BYTES = 68;
const EMPTY = 0;
const DELETED = -1;

/** Open addressing with linear probing. Ids are uniform already (HMAC-SHA-256), so their first bytes are the hash. */
export class IdTable {
  private entries = Buffer.alloc(ENTRY_BYTES * 64);
  private used = 0;
  private live = 0;
  private slots = new Int32Array(256);

  get size(): number {
    return this.live;
  }

  find(id: Uint8Array): Stored | undefined {
    const slot = this.slotOf(id);
    if (slot < 0) return undefined;
    const at = ((this.slots[slot] as number) - 1) * ENTRY_BYTES;
    const known = !isZero(this.entries, at + 36);
    return {
      sizeBytes: this.entries.readUInt32BE(at + 32),
      sha256: known ? this.entries.toString('hex', at + 36, at + ENTRY_BYTES) : undefined,
    };
  }

  /** Views of the ids, or of those that begin with this byte, in no order. One pass over the table. */
  *ids(firstByte?: number): Generator<Buffer> {
    for (const value of this.slots) {
      const at = (value - 1) * ENTRY_BYTES;
      if (value <= 0 || (firstByte !== undefined && this.entries[at] !== firstByte)) continue;
      yield this.entries.subarray(at, at + 32);
    }
  }

  set(id: Uint8Array, stored: Stored): void {
    const slot = this.slotOf(id);
    const index = slot < 0 ? this.append(id) : (this.slots[slot] as number) - 1;
    const at = index * ENTRY_BYTES;
    this.entries.writeUInt32BE(stored.sizeBytes, at + 32);
    if (stored.sha256 === undefined) this.entries.fill(0, at + 36, at + ENTRY_BYTES);
    else this.entries.write(stored.sha256, at + 36, 32, 'hex');
  }

  delete(id: Uint8Array): boolean {
    const slot = this.slotOf(id);
    if (slot < 0) return false;
    this.slots[slot] = DELETED;
    this.live -= 1;
    return true;
  }

  private append(id: Uint8Array): number {
    if ((this.used + 1) * ENTRY_BYTES > this.entries.length) this.growEntries();
    const index = this.used;
    this.used += 1;
    this.live += 1;
    this.entries.set(id.subarray(0, 32), index * ENTRY_BYTES);
    if (this.used * 2 > this.slots.length) this.growSlots();
    else this.place(index);
    return index;
  }

  private place(index: number): void {
    const mask = this.slots.length - 1;
    let slot = this.entries.readUInt32BE(index * ENTRY_BYTES) & mask;
    while ((this.slots[slot] as number) > 0) slot = (slot + 1) & mask;
    this.slots[slot] = index + 1;
  }

  private slotOf(id: Uint8Array): number {
    const mask = this.slots.length - 1;
    const view = Buffer.from(id.buffer, id.byteOffset, 32);
    let slot = view.readUInt32BE(0) & mask;
    for (;;) {
      const value = this.slots[slot] as number;
      if (value === EMPTY) return -1;
      const at = (value - 1) * ENTRY_BYTES;
      if (value !== DELETED && view.equals(this.entries.subarray(at, at + 32))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private growEntries(): void {
    const larger = Buffer.alloc(this.entries.length * 2);
    larger.set(this.entries);
    this.entries = larger;
  }

  private growSlots(): void {
    const alive = this.slots.filter((value) => value > 0);
    const fresh = this.used - 1;
    this.slots = new Int32Array(this.slots.length * 2);
    for (const value of alive) this.place(value - 1);
    this.place(fresh);
  }
}

function isZero(bytes: Buffer, at: number): boolean {
  for (let i = at; i < at + 32; i += 1) if (bytes[i] !== 0) return false;
  return true;
}
