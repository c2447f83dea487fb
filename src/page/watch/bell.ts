/** Ends a pause early, also one that has not begun yet. */
import { setTimeout as sleep } from 'node:timers/promises';

export class Bell {
  private rung = false;
  private sleeping = new AbortController();

  ring(): void {
    this.rung = true;
    this.sleeping.abort();
  }

  /** What was rung for before is seen by what begins now. */
  begin(): void {
    this.rung = false;
  }

  async wait(ms: number): Promise<void> {
    if (this.rung) return;
    this.sleeping = new AbortController();
    await sleep(ms, undefined, { signal: this.sleeping.signal }).catch(() => undefined);
  }
}
