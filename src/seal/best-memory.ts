/**
 * How much zstd should remember for the chunks of a large file. Files of records (ledgers, indexes) are full of values
 * that were met long ago, and pointing back at them costs more than writing them again: with a short memory level 1 is a
 * quarter faster there and 1 % smaller. Text and programs lose by it, up to 20 %. What a file is, only a trial tells.
 */
import { compress } from './compress.ts';
import type { Memory } from './compress.ts';
import { freeNow } from './free.ts';

/** A trial compresses a chunk twice; a file may change its nature on the way, such as from an index to text. */
const CHUNKS_BETWEEN_TRIALS = 32;

/** Of one thread. Remembers the last file only, as the chunks of a file follow each other. */
export class BestMemory {
  private readonly level: number;
  private series = '';
  private left = 0;
  private memory: Memory = 'usual';

  constructor(level: number) {
    this.level = level;
  }

  /** Compresses a chunk of a series, which is the name of its file; chunks without one are compressed as usual. */
  compress(plain: Uint8Array, series: string | undefined): Buffer<ArrayBuffer> {
    if (series === undefined) return compress(plain, this.level);
    if (series !== this.series || this.left === 0) return this.trial(plain, series);
    this.left -= 1;
    return compress(plain, this.level, this.memory);
  }

  private trial(plain: Uint8Array, series: string): Buffer<ArrayBuffer> {
    const usual = compress(plain, this.level);
    const short = compress(plain, this.level, 'short');
    this.series = series;
    this.left = CHUNKS_BETWEEN_TRIALS;
    this.memory = short.length < usual.length ? 'short' : 'usual';
    const [smaller, other] = this.memory === 'short' ? [short, usual] : [usual, short];
    freeNow(other);
    return smaller;
  }
}
