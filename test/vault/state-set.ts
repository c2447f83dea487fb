/** Millions of small states, each once: packed into 32-bit words in typed arrays, found by hash, numbered as they come. */

export class StateSet {
  private readonly widths: readonly number[];
  private readonly words: number;
  private packed: Uint32Array;
  private parents: Int32Array;
  private slots: Int32Array;
  private readonly scratch: Uint32Array;
  size = 0;

  /** `widths` are the bits of each field of a state. */
  constructor(widths: readonly number[]) {
    this.widths = widths;
    let words = 1;
    let used = 0;
    for (const width of widths) {
      if (used + width > 32) {
        words += 1;
        used = 0;
      }
      used += width;
    }
    this.words = words;
    this.packed = new Uint32Array(words << 16);
    this.parents = new Int32Array(1 << 16);
    this.slots = new Int32Array(1 << 18);
    this.scratch = new Uint32Array(words);
  }

  /** False when it is there already. */
  add(state: readonly number[], parent: number): boolean {
    this.pack(state);
    const mask = this.slots.length - 1;
    let slot = this.hash(this.scratch, 0) & mask;
    for (;;) {
      const index = (this.slots[slot] as number) - 1;
      if (index < 0) break;
      if (this.equals(index)) return false;
      slot = (slot + 1) & mask;
    }
    this.slots[slot] = this.size + 1;
    if (this.size === this.parents.length) this.growStates();
    this.packed.set(this.scratch, this.size * this.words);
    this.parents[this.size] = parent;
    this.size += 1;
    if (this.size * 2 > this.slots.length) this.growSlots();
    return true;
  }

  get(index: number): number[] {
    const state: number[] = [];
    let word = index * this.words;
    let used = 0;
    for (const width of this.widths) {
      if (used + width > 32) {
        word += 1;
        used = 0;
      }
      state.push(((this.packed[word] as number) >>> used) & ((1 << width) - 1));
      used += width;
    }
    return state;
  }

  /** -1 for the first. */
  parentOf(index: number): number {
    return this.parents[index] as number;
  }

  private pack(state: readonly number[]): void {
    this.scratch.fill(0);
    let word = 0;
    let used = 0;
    for (let field = 0; field < this.widths.length; field += 1) {
      const width = this.widths[field] as number;
      const value = state[field] as number;
      if (value >>> width !== 0) throw new Error(`field ${field} has ${value}, which needs more than ${width} bits`);
      if (used + width > 32) {
        word += 1;
        used = 0;
      }
      this.scratch[word] = ((this.scratch[word] as number) | (value << used)) >>> 0;
      used += width;
    }
  }

  private hash(words: Uint32Array, from: number): number {
    let hash = 0x811c9dc5;
    for (let word = from; word < from + this.words; word += 1) {
      hash = Math.imul(hash ^ (words[word] as number), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    return (Math.imul(hash, 0xc2b2ae35) ^ (hash >>> 13)) >>> 0;
  }

  private equals(index: number): boolean {
    for (let word = 0; word < this.words; word += 1) {
      if (this.packed[index * this.words + word] !== this.scratch[word]) return false;
    }
    return true;
  }

  private growStates(): void {
    const packed = new Uint32Array(this.packed.length * 2);
    packed.set(this.packed);
    this.packed = packed;
    const parents = new Int32Array(this.parents.length * 2);
    parents.set(this.parents);
    this.parents = parents;
  }

  private growSlots(): void {
    this.slots = new Int32Array(this.slots.length * 2);
    const mask = this.slots.length - 1;
    for (let index = 0; index < this.size; index += 1) {
      let slot = this.hash(this.packed, index * this.words) & mask;
      while ((this.slots[slot] as number) !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = index + 1;
    }
  }
}
