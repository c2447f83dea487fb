/**
 * A stream in memory that threads share: copied in once, read where it lies by everybody who reads it, and used again
 * when all of them are done. Fresh memory for every piece keeps the garbage collector busier than the work itself.
 */

export const SLAB_BYTES = 1024 * 1024;

interface Slab {
  readonly memory: SharedArrayBuffer;
  /** Bytes that a reader has not done with yet, over all readers. */
  left: number;
}

export interface Taken {
  readonly pieces: readonly Uint8Array[];
  /** To be called when nobody reads the pieces any more; they may change then. */
  readonly done: () => void;
}

export class SlabStream {
  private readonly readers: number;
  private readonly slabs = new Map<number, Slab>();
  private readonly spare: SharedArrayBuffer[] = [];
  private length = 0;

  /** A slab is used again when so many readers are done with all of it. */
  constructor(readers: number) {
    this.readers = readers;
  }

  get lengthBytes(): number {
    return this.length;
  }

  /** Copies the bytes to the end of the stream, and returns where they lie now: one view for each slab. */
  write(bytes: Uint8Array): Uint8Array[] {
    const views: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const within = this.length % SLAB_BYTES;
      const part = bytes.subarray(at, at + SLAB_BYTES - within);
      const view = new Uint8Array(this.slab(this.length).memory, within, part.length);
      view.set(part);
      views.push(view);
      at += part.length;
      this.length += part.length;
    }
    return views;
  }

  /** Reads from the beginning, each reader for itself. */
  reader(): SlabReader {
    return new SlabReader((from, to) => this.take(from, to));
  }

  private take(from: number, to: number): Taken {
    const pieces: Uint8Array[] = [];
    for (let at = from; at < to;) {
      const within = at % SLAB_BYTES;
      const bytes = Math.min(SLAB_BYTES - within, to - at);
      pieces.push(new Uint8Array(this.slab(at).memory, within, bytes));
      at += bytes;
    }
    return { pieces, done: () => this.release(from, to) };
  }

  private slab(offset: number): Slab {
    const index = Math.floor(offset / SLAB_BYTES);
    const there = this.slabs.get(index);
    if (there !== undefined) return there;
    const memory = this.spare.pop() ?? new SharedArrayBuffer(SLAB_BYTES);
    const slab = { memory, left: SLAB_BYTES * this.readers };
    this.slabs.set(index, slab);
    return slab;
  }

  private release(from: number, to: number): void {
    for (let at = from; at < to;) {
      const bytes = Math.min(SLAB_BYTES - (at % SLAB_BYTES), to - at);
      const slab = this.slab(at);
      slab.left -= bytes;
      if (slab.left === 0) {
        this.slabs.delete(Math.floor(at / SLAB_BYTES));
        this.spare.push(slab.memory);
      }
      at += bytes;
    }
  }
}

export class SlabReader {
  private readonly takeRange: (from: number, to: number) => Taken;
  private at = 0;

  constructor(takeRange: (from: number, to: number) => Taken) {
    this.takeRange = takeRange;
  }

  /** How far it has come. */
  get position(): number {
    return this.at;
  }

  /** The next so many bytes, all of which were written already. */
  take(lengthBytes: number): Taken {
    const from = this.at;
    this.at += lengthBytes;
    return this.takeRange(from, this.at);
  }
}
