/** Work that is done again and again beside everything else, until it is stopped. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface RepeatedWork {
  readonly firstAfterMs: number;
  readonly everyMs: number;
  readonly turn: (signal: AbortSignal) => Promise<void>;
  /** A turn that threw is over, and the next one comes as ever. */
  readonly failed: (error: unknown) => void;
}

export class Repeated {
  private readonly over = new AbortController();
  private readonly work: RepeatedWork;
  private going: Promise<void> | undefined;

  constructor(work: RepeatedWork) {
    this.work = work;
  }

  /** Aborted by `stop`. */
  get signal(): AbortSignal {
    return this.over.signal;
  }

  /** A repeat goes on with what goes on already. */
  start(): void {
    this.going ??= this.goOn();
  }

  /** Resolves when the turn that was under way is over. */
  async stop(): Promise<void> {
    this.over.abort();
    await this.going;
  }

  private async goOn(): Promise<void> {
    const { signal } = this.over;
    const { firstAfterMs, everyMs, turn, failed } = this.work;
    for (let waitMs = firstAfterMs; ; waitMs = everyMs) {
      try {
        await sleep(waitMs, undefined, { signal });
        await turn(signal);
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
      }
    }
  }
}
