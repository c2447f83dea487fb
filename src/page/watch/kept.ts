/** What is looked up again only when it is old, or of something else than now. */

interface Known<T> {
  readonly atMs: number;
  readonly of: string;
  readonly value: T;
}

export class Kept<T> {
  private readonly known = new Map<string, Known<T>>();
  private readonly longestMs: (value: T) => number;

  /** How long what was found may be used. */
  constructor(longestMs: number | ((value: T) => number)) {
    this.longestMs = typeof longestMs === 'number' ? () => longestMs : longestMs;
  }

  /** What is known by this name, if it is not too old and what it was made of is still the same; else what `look` finds. */
  async get(name: string, of: string, nowMs: number, look: () => Promise<T>): Promise<T> {
    const known = this.known.get(name);
    if (known !== undefined && nowMs - known.atMs < this.longestMs(known.value) && known.of === of) return known.value;
    const value = await look();
    this.known.set(name, { atMs: nowMs, of, value });
    return value;
  }

  forget(name: string): void {
    this.known.delete(name);
  }
}
