/** Looks that are repeated at a pace, each told by its own metrics: when it last succeeded, how long it took, errors. */
import { log } from '../observe/log.ts';
import type { CountedSample, MetricsPage } from './page.ts';

interface Looks {
  readonly labels: { readonly collector: string; readonly system: string };
  readonly everyMs: number;
  readonly look: () => Promise<void>;
  timer: NodeJS.Timeout | undefined;
  running: Promise<void> | undefined;
  /** Asked for while one was under way. */
  again: boolean;
  ended: boolean;
  errors: number;
  lastSuccessMs: number;
  seconds: number | undefined;
}

export class Paced {
  private readonly page: MetricsPage;
  private readonly all = new Map<string, Looks>();

  constructor(page: MetricsPage) {
    this.page = page;
    page.countBy('holdfast_collector_errors_total', () => this.errors());
  }

  /** The first at once; the next one so long after the last has ended. */
  every(collector: string, system: string, everyMs: number, look: () => Promise<void>): void {
    const looks: Looks = {
      labels: { collector, system },
      everyMs,
      look,
      timer: undefined,
      running: undefined,
      again: false,
      ended: false,
      errors: 0,
      lastSuccessMs: 0,
      seconds: undefined,
    };
    this.all.set(keyOf(collector, system), looks);
    this.begin(looks);
  }

  /** Now, or once more when one is under way. Nothing when there is no such look. */
  soon(collector: string, system: string): void {
    const looks = this.all.get(keyOf(collector, system));
    if (looks === undefined) return;
    if (looks.running === undefined) this.begin(looks);
    else looks.again = true;
  }

  end(collector: string, system: string): void {
    const key = keyOf(collector, system);
    const looks = this.all.get(key);
    if (looks === undefined) return;
    this.all.delete(key);
    this.finish(looks);
    this.tell();
  }

  /** Waits for nothing that hangs: what is under way ends with the process. */
  async stop(): Promise<void> {
    for (const looks of this.all.values()) this.finish(looks);
    await Promise.resolve();
  }

  private finish(looks: Looks): void {
    looks.ended = true;
    clearTimeout(looks.timer);
  }

  private begin(looks: Looks): void {
    clearTimeout(looks.timer);
    looks.again = false;
    looks.running = this.once(looks).finally(() => {
      looks.running = undefined;
      if (looks.ended) return;
      looks.timer = setTimeout(() => this.begin(looks), looks.again ? 0 : looks.everyMs);
      looks.timer.unref();
    });
  }

  private async once(looks: Looks): Promise<void> {
    const startedMs = Date.now();
    try {
      await looks.look();
      looks.lastSuccessMs = Date.now();
    } catch (error) {
      looks.errors += 1;
      if (!looks.ended) log('metrics').warn({ ...looks.labels, err: error }, 'the metrics could not be refreshed');
    }
    looks.seconds = (Date.now() - startedMs) / 1000;
    this.tell();
  }

  private tell(): void {
    this.page.replace(
      'collectors',
      [...this.all.values()].flatMap(({ labels, lastSuccessMs, seconds }) => [
        { name: 'holdfast_collector_last_success_timestamp_seconds', labels, value: lastSuccessMs / 1000 },
        ...(seconds === undefined ? [] : [{ name: 'holdfast_collector_duration_seconds', labels, value: seconds }]),
      ]),
    );
  }

  private errors(): CountedSample[] {
    return [...this.all.values()].map(({ labels, errors }) => ({ labels, value: errors }));
  }
}

function keyOf(collector: string, system: string): string {
  return `${collector} ${system}`;
}
