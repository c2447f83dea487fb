/** What is looked up again only when it is old, or of something else than now. */

interface Known<T> {
  readonly atMs: number;
  readonly of: string;
  readonly value: T;
}

export class Kept<T> {
  private known: Known<T> | undefined;
  private readonly longestMs: (value: T) => number;

  /** How long what was found may be used. */
  constructor(longestMs: (value: T) => number) {
    this.longestMs = longestMs;
  }

  /** What is known, if it is not too old and what it was made of is still the same; else what `look` finds. */
  async get(of: string, nowMs: number, look: () => Promise<T>): Promise<T> {
    const { known } = this;
    if (known !== undefined && nowMs - known.atMs < this.longestMs(known.value) && known.of === of) return known.value;
    const value = await look();
    this.known = { atMs: nowMs, of, value };
    return value;
  }
}
