/** Ctrl-C in an example: the story ends at its next step, and only then is undone, so that nothing is made meanwhile. */
import { waitFor } from '../../sample/stack/processes.ts';
import { Story } from '../demo/story.ts';

export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Aborted by the first signal of a person or a terminal; what comes after it only says that it is under way. */
export function untilInterrupted(): AbortSignal {
  const over = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      console.error(
        over.signal.aborted ? '\nEnding already …' : '\nEnding after this step; then everything is removed …',
      );
      over.abort(new Interrupted('interrupted'));
    });
  }
  return over.signal;
}

/** Throws what the signal was aborted with at everything that it is to tell. */
export class InterruptibleStory extends Story {
  private readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    super();
    this.signal = signal;
  }

  override chapter(text: string): void {
    this.signal.throwIfAborted();
    super.chapter(text);
  }

  override say(text: string): void {
    this.signal.throwIfAborted();
    super.say(text);
  }

  override claim(text: string, holds: boolean, seen = ''): void {
    this.signal.throwIfAborted();
    super.claim(text, holds, seen);
  }

  /** `waitFor`, which ends with the signal. */
  until<T>(what: string, limitMs: number, ask: () => Promise<T | undefined>): Promise<T> {
    return waitFor(what, limitMs, () => {
      this.signal.throwIfAborted();
      return ask();
    });
  }
}
