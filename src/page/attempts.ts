/** Guessing a token must take for ever: after some wrong ones an address is not listened to for a while. Pure. */

const MOST = 10;
const WINDOW_MS = 60_000;
const MOST_ADDRESSES = 1000;

export class WrongAttempts {
  private readonly times = new Map<string, readonly number[]>();

  add(address: string, nowMs: number): void {
    const recent = [...this.recent(address, nowMs), nowMs];
    // The one that was added last is the last in the map's order: the oldest goes.
    this.times.delete(address);
    this.times.set(address, recent);
    const [oldest] = this.times.keys();
    if (this.times.size > MOST_ADDRESSES && oldest !== undefined) this.times.delete(oldest);
  }

  /** How long until the next attempt from there is listened to; 0: now. */
  waitMs(address: string, nowMs: number): number {
    const recent = this.recent(address, nowMs);
    const [oldest = nowMs] = recent;
    return recent.length < MOST ? 0 : oldest + WINDOW_MS - nowMs;
  }

  private recent(address: string, nowMs: number): readonly number[] {
    return (this.times.get(address) ?? []).filter((time) => nowMs - time < WINDOW_MS).slice(-MOST);
  }
}
