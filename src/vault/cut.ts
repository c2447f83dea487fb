/**
 * Where a stream is cut into chunks. By content, in the manner of FastCDC (Xia et al., USENIX ATC 2016): a gear hash
 * over the last 32 bytes, a stricter condition below the average size and a looser one above it. The gear table is
 * derived from the chunk-id key, so that chunk sizes tell nothing about known files. At fixed offsets otherwise.
 */
import { createHmac } from 'node:crypto';

import { FIXED_CHUNK_BYTES, MAX_CHUNK_BYTES } from '../part.ts';

const MIN_BYTES = 256 * 1024;
const AVERAGE_BYTES = 1024 * 1024;
/** The hash must have this many of its highest bits zero; about one position in 2^22, and in 2^18 past the average. */
const STRICT_SHIFT = 32 - 22;
const LOOSE_SHIFT = 32 - 18;
/** The hash forgets a byte after 32 more: it need not be fed before this many bytes ahead of the earliest cut. */
const WINDOW_BYTES = 32;

/** 256 pseudorandom 32-bit words that a key always gives. */
export function gearTable(key: Uint8Array): Int32Array {
  const table = new Int32Array(256);
  for (let block = 0; block < 32; block += 1) {
    const bytes = createHmac('sha256', key).update(`holdfast gear table ${block}`).digest();
    for (let word = 0; word < 8; word += 1) table[block * 8 + word] = bytes.readInt32BE(word * 4);
  }
  return table;
}

/** Cuts a stream that is handed over buffer by buffer, none of which is kept. */
export class Cutter {
  private readonly gear: Int32Array | undefined;
  private length = 0;
  private hash = 0;

  /** With a gear table cuts follow the content; without one they are at multiples of FIXED_CHUNK_BYTES. */
  constructor(gear: Int32Array | undefined) {
    this.gear = gear;
  }

  /** The lengths of the chunks that this buffer completes. */
  *push(buffer: Uint8Array): Generator<number> {
    let start = 0;
    while (start < buffer.length) {
      const end = this.gear === undefined ? this.fixedEnd(buffer, start) : this.contentEnd(this.gear, buffer, start);
      const taken = end < 0 ? buffer.length : end;
      this.length += taken - start;
      start = taken;
      if (end >= 0) yield this.take();
    }
  }

  /** What is left at the end of the stream. */
  *finish(): Generator<number> {
    if (this.length > 0) yield this.take();
  }

  private take(): number {
    const lengthBytes = this.length;
    this.length = 0;
    this.hash = 0;
    return lengthBytes;
  }

  /** Where the chunk ends in this buffer, or -1 when it does not. */
  private fixedEnd(buffer: Uint8Array, start: number): number {
    const end = start + FIXED_CHUNK_BYTES - this.length;
    return end <= buffer.length ? end : -1;
  }

  private contentEnd(gear: Int32Array, buffer: Uint8Array, start: number): number {
    const base = start - this.length;
    const feedFrom = Math.max(start, base + MIN_BYTES - WINDOW_BYTES);
    const limits = [
      { until: base + MIN_BYTES, shift: -1 },
      { until: base + AVERAGE_BYTES, shift: STRICT_SHIFT },
      { until: base + MAX_CHUNK_BYTES, shift: LOOSE_SHIFT },
    ];
    let at = feedFrom;
    let hash = this.hash;
    for (const { until, shift } of limits) {
      const end = Math.min(until, buffer.length);
      for (; at < end; at += 1) {
        hash = ((hash << 1) + (gear[buffer[at] as number] as number)) | 0;
        if (shift >= 0 && hash >>> shift === 0) return at + 1;
      }
    }
    if (at >= base + MAX_CHUNK_BYTES) return base + MAX_CHUNK_BYTES;
    this.hash = hash;
    return -1;
  }
}
