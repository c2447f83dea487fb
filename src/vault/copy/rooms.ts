/**
 * Memory that is read into again and again. Buffers lie outside of the collector's heap and count for when it runs: with a
 * new one for every object it ran after each few dozen, over everything the process holds, and took a third of the time.
 */

/** Larger ones are rare and would be kept for nothing; in smaller ones there is nothing to be gained. */
const MOST_KEPT_BYTES = 4 * 1024 * 1024;
const LEAST_KEPT_BYTES = 16 * 1024;
const STEP_BYTES = 64 * 1024;

export class Rooms {
  private readonly limitBytes: number;
  private readonly free: Buffer[] = [];
  private freeBytes = 0;

  /** So much is kept at most while nobody uses it. */
  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Runs `action` with a buffer of at least this length, of any content, which is somebody else's afterwards. */
  async with<T>(sizeBytes: number, action: (room: Buffer) => Promise<T>): Promise<T> {
    const room = this.take(sizeBytes);
    try {
      return await action(room);
    } finally {
      this.giveBack(room);
    }
  }

  private take(sizeBytes: number): Buffer {
    const at = this.free.findIndex(({ length }) => length >= sizeBytes && length <= 2 * sizeBytes + STEP_BYTES);
    const [found] = at < 0 ? [] : this.free.splice(at, 1);
    this.freeBytes -= found?.length ?? 0;
    return found ?? Buffer.allocUnsafeSlow(Math.ceil(sizeBytes / STEP_BYTES) * STEP_BYTES);
  }

  private giveBack(room: Buffer): void {
    this.free.push(room);
    this.freeBytes += room.length;
    while (this.freeBytes > this.limitBytes) this.freeBytes -= this.free.shift()?.length ?? 0;
  }
}

/** Whether an object of this length is worth a room. */
export function isWorthRoom(sizeBytes: number): boolean {
  return sizeBytes >= LEAST_KEPT_BYTES && sizeBytes <= MOST_KEPT_BYTES;
}
