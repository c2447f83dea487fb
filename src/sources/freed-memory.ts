/** Memory outside the JavaScript heap: what the C library keeps for later, and buffers that are not needed any more. */
import koffi from 'koffi';
import { freeNow } from '../seal/free.ts';

/**
 * Frees bytes that nobody uses any more, when they are alone in their buffer: the garbage collector, which comes the more
 * often the more buffers there are, need not look for them.
 */
export function freeOwn(bytes: Uint8Array): void {
  if (bytes.length === bytes.buffer.byteLength) freeNow(bytes);
}

/** Undefined where the C library is not glibc, or can't be called. */
let trim: ((pad: number) => number) | undefined;
let looked = false;

/** Gives memory that was freed back to the system: malloc_trim(3). Where there is no such call nothing happens. */
export function giveBackFreedMemory(): void {
  if (!looked) {
    looked = true;
    try {
      trim = koffi.load(null).func('int malloc_trim(size_t pad)') as (pad: number) => number;
    } catch {
      // Other C libraries keep little and have no such call: nothing is lost.
    }
  }
  trim?.(0);
}
