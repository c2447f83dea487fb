/** So many at once and no more; who comes first is served first. */

export class Slots {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(count: number) {
    this.free = count;
  }

  /** Runs `action` when its turn has come. Rejects with the signal's reason when aborted while waiting. */
  async with<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    await this.take(signal);
    try {
      return await action();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }

  private async take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.free > 0) {
      this.free -= 1;
      return;
    }
    const turn = Promise.withResolvers<undefined>();
    const served = (): void => turn.resolve(undefined);
    const stop = (): void => {
      const at = this.waiting.indexOf(served);
      if (at < 0) return;
      this.waiting.splice(at, 1);
      turn.reject(signal?.reason);
    };
    this.waiting.push(served);
    signal?.addEventListener('abort', stop);
    try {
      await turn.promise;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }
}
