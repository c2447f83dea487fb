/** So many bytes a second and no more: a bucket of tokens that fills steadily; who comes first is served first. */

/** What may be sent at once after a rest, in seconds of the rate. */
const BURST_SECONDS = 0.1;

interface Waiter {
  readonly bytes: number;
  readonly serve: () => void;
}

export class TokenBucket {
  readonly bytesPerSecond: number;
  readonly #queue: Waiter[] = [];
  #tokens: number;
  #filledAtMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
    this.#tokens = bytesPerSecond * BURST_SECONDS;
    this.#filledAtMs = performance.now();
  }

  /**
   * Resolves when it is this caller's turn, which may then move so many bytes at once: an object is never cut, what it is
   * too large for is owed and paid by those behind it. Rejects with the signal's reason when aborted while waiting.
   */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const turn = Promise.withResolvers<undefined>();
    const waiter: Waiter = { bytes, serve: () => turn.resolve(undefined) };
    const stop = (): void => {
      const at = this.#queue.indexOf(waiter);
      if (at < 0) return;
      this.#queue.splice(at, 1);
      turn.reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop);
    this.#queue.push(waiter);
    this.#pump();
    try {
      await turn.promise;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** What was moved without asking, or given back when negative. */
  settle(bytes: number): void {
    this.#tokens -= bytes;
    this.#pump();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#fill();
    while (this.#tokens > 0) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#tokens -= next.bytes;
      next.serve();
    }
    if (this.#queue.length === 0) return;
    const waitMs = (-this.#tokens / this.bytesPerSecond) * 1000;
    this.#timer = setTimeout(() => this.#pump(), Math.ceil(waitMs) + 1);
  }

  #fill(): void {
    const now = performance.now();
    const most = this.bytesPerSecond * BURST_SECONDS;
    this.#tokens = Math.min(most, this.#tokens + ((now - this.#filledAtMs) / 1000) * this.bytesPerSecond);
    this.#filledAtMs = now;
  }
}
