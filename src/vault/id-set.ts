/** A set of 32-byte ids in typed arrays: 32 bytes an id and a few of index. Ids are uniform, so their bytes are the hash. */

export class IdSet {
  /** Eight words an id. */
  private words = new Uint32Array(8 << 10);
  private slots = new Int32Array(1 << 12);
  private count = 0;
  private readonly one = new Uint32Array(8);
  private readonly bytes = Buffer.from(this.one.buffer);

  get size(): number {
    return this.count;
  }

  /** `hex` are 64 digits from `at` on. False when it was there. */
  addHex(text: string, at = 0): boolean {
    this.read(text, at);
    return this.addRead();
  }

  hasHex(text: string, at = 0): boolean {
    this.read(text, at);
    return this.slotOf() < 0;
  }

  /** The same from the digits' bytes, for scanning without making strings. False when they are no such digits. */
  addDigits(digits: Uint8Array, at: number): boolean {
    let all = 0;
    for (let i = 0; i < 32; i += 1) {
      const high = DIGITS[digits[at + 2 * i] as number] as number;
      const low = DIGITS[digits[at + 2 * i + 1] as number] as number;
      all |= high | low;
      this.bytes[i] = (high << 4) | low;
    }
    if (all > 15) return false;
    this.addRead();
    return true;
  }

  /** In the order of adding. */
  *hexes(): Generator<string> {
    const all = Buffer.from(this.words.buffer, 0, this.count * 32);
    for (let index = 0; index < this.count; index += 1) yield all.toString('hex', index * 32, index * 32 + 32);
  }

  private read(text: string, at: number): void {
    this.bytes.write(text.slice(at, at + 64), 'hex');
  }

  private addRead(): boolean {
    const slot = this.slotOf();
    if (slot < 0) return false;
    if ((this.count + 1) * 8 > this.words.length) {
      const larger = new Uint32Array(this.words.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    this.words.set(this.one, this.count * 8);
    this.slots[slot] = this.count + 1;
    this.count += 1;
    if (this.count * 2 > this.slots.length) this.growSlots();
    return true;
  }

  /** A free slot, or -1 when the id is there. */
  private slotOf(): number {
    const mask = this.slots.length - 1;
    let slot = (this.one[0] as number) & mask;
    for (;;) {
      const index = (this.slots[slot] as number) - 1;
      if (index < 0) return slot;
      let word = 0;
      while (word < 8 && this.words[index * 8 + word] === this.one[word]) word += 1;
      if (word === 8) return -1;
      slot = (slot + 1) & mask;
    }
  }

  private growSlots(): void {
    this.slots = new Int32Array(this.slots.length * 2);
    const mask = this.slots.length - 1;
    for (let index = 0; index < this.count; index += 1) {
      let slot = (this.words[index * 8] as number) & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = index + 1;
    }
  }
}

const DIGITS = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit += 1) DIGITS[digit.toString(16).charCodeAt(0)] = digit;
