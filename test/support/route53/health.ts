/** Health checks of Route 53 that really ask their target, and honour thresholds, inversion and texts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { child, textOf, type Element } from './xml.ts';

export interface FakeCheck {
  readonly id: string;
  readonly callerReference: string;
  /** As it was sent. */
  readonly config: Element;
  version: number;
}

const SEARCHED_BYTES = 5120;

/** One checker for each check, where AWS has many in eight regions. */
export class HealthCheckers {
  readonly checks = new Map<string, FakeCheck>();
  private readonly intervalMs: number;
  private readonly onChange: () => void;
  private readonly reach: (url: string) => string;
  private readonly healthy = new Map<string, boolean>();
  private readonly row = new Map<string, number>();
  private readonly stopped = new AbortController();
  private readonly running: Promise<void>[] = [];

  /** `intervalMs` stands for the 10 or 30 seconds that AWS waits between two looks. */
  constructor(intervalMs: number, onChange: () => void, reach: (url: string) => string = (url) => url) {
    this.intervalMs = intervalMs;
    this.onChange = onChange;
    this.reach = reach;
  }

  add(check: FakeCheck): void {
    this.checks.set(check.id, check);
    this.running.push(this.watch(check.id));
  }

  /** By what was seen, inverted where it is declared so. Healthy until it is known. */
  isHealthy(id: string): boolean {
    const check = this.checks.get(id);
    if (check === undefined) return true;
    const inverted = textOf(check.config, 'Inverted') === 'true';
    if (textOf(check.config, 'Disabled') === 'true') return !inverted;
    const seen = this.healthy.get(id);
    return seen === undefined ? true : seen !== inverted;
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    await Promise.allSettled(this.running);
  }

  private async watch(id: string): Promise<void> {
    const { signal } = this.stopped;
    for (;;) {
      const check = this.checks.get(id);
      if (check === undefined || signal.aborted) return;
      this.note(check, await this.look(check.config, signal));
      await sleep(this.intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** So many looks in a row decide. */
  private note({ id, config }: FakeCheck, good: boolean): void {
    const before = this.healthy.get(id);
    if (before === good) {
      this.row.set(id, 0);
      return;
    }
    const row = (this.row.get(id) ?? 0) + 1;
    this.row.set(id, row);
    if (row < Number(textOf(config, 'FailureThreshold') ?? 3)) return;
    this.healthy.set(id, good);
    this.row.set(id, 0);
    this.onChange();
  }

  private async look(config: Element, signal: AbortSignal): Promise<boolean> {
    const type = textOf(config, 'Type') ?? '';
    const host = textOf(config, 'IPAddress') ?? textOf(config, 'FullyQualifiedDomainName') ?? '';
    const scheme = type.startsWith('HTTPS') ? 'https' : 'http';
    const url = `${scheme}://${host}:${textOf(config, 'Port') ?? ''}${textOf(config, 'ResourcePath') ?? '/'}`;
    try {
      const answer = await fetch(this.reach(url), {
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(4000)]),
      });
      const body = (await answer.text()).slice(0, SEARCHED_BYTES);
      const wanted = type.endsWith('_STR_MATCH') ? (child(config, 'SearchString')?.text ?? '') : '';
      return answer.status >= 200 && answer.status < 400 && body.includes(wanted);
    } catch {
      return false;
    }
  }
}
