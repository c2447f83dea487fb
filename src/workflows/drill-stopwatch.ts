/** How long each phase of a drill takes, by the workflow's clock: queues and retries are part of a recovery. */
import type { DrillPhase } from './drill-contract.ts';

export class Stopwatch {
  private readonly ended: { name: string; ms: number }[] = [];

  /** A phase that fails has taken its time, too. */
  async time<T>(name: string, phase: () => Promise<T>): Promise<T> {
    const beganMs = Date.now();
    try {
      return await phase();
    } finally {
      this.ended.push({ name, ms: Date.now() - beganMs });
    }
  }

  get phases(): DrillPhase[] {
    return this.ended.map(({ name, ms }) => ({ name, seconds: inSeconds(ms) }));
  }

  get totalSeconds(): number {
    return inSeconds(this.ended.reduce((sum, { ms }) => sum + ms, 0));
  }
}

function inSeconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
