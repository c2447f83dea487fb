/** Which chunks of an artifact its capture added to the store, so that only they have to be read back. */
import { createHash } from 'node:crypto';

const FIRST_BYTES = 128;

/** One bit a chunk, and one checksum over the names of all, in the artifact's order. */
export class AddedChunks {
  private readonly order = createHash('sha256');
  private bits = new Uint8Array(FIRST_BYTES);
  private count = 0;

  /** The next chunk of the artifact; `added` when nobody knew it to be in the store before. */
  note(id: string, added: boolean): void {
    const at = this.count;
    this.count += 1;
    this.order.update(id);
    if (at >> 3 >= this.bits.length) {
      const longer = new Uint8Array(this.bits.length * 2);
      longer.set(this.bits);
      this.bits = longer;
    }
    if (added) this.bits[at >> 3] = (this.bits[at >> 3] ?? 0) | (1 << (at & 7));
  }

  has(index: number): boolean {
    return ((this.bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** The same for the same names in the same order. */
  orderSha256(): string {
    return this.order.copy().digest('hex');
  }
}
