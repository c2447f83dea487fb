/** Memory that the C library keeps for later. */
import koffi from 'koffi';

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
