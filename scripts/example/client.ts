/**
 * The users of a system: they put in one record after another and remember what was acknowledged, and when. After a
 * disaster that is the truth which the restored state is compared with.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../sample/stack/processes.ts';

const EVERY_MS = 40;
const ANSWER_LIMIT_MS = 10_000;
const LIMIT_MS = 300_000;

export interface Comparison {
  /** Acknowledged before, and there. */
  readonly kept: number;
  /** Acknowledged before, and not there. */
  readonly lost: readonly number[];
  /** There, and never sent. */
  readonly invented: readonly number[];
  /** From the first lost record's acknowledgement to the disaster; 0 when nothing was lost. */
  readonly lostMs: number;
  /** Acknowledged by what was broken already, and not there: no backup could hold it. */
  readonly lostWhileBroken: readonly number[];
  /** Acknowledged by what was brought back, and not there. */
  readonly lostAfterwards: readonly number[];
}

export interface Times {
  readonly brokenAtMs: number;
  /** From when on it served again. */
  readonly backAtMs: number;
}

/** Pure: what is there against what was acknowledged before the disaster, during it, and after it. */
export function compare(
  acknowledged: ReadonlyMap<number, number>,
  sent: ReadonlySet<number>,
  present: readonly number[],
  { brokenAtMs, backAtMs }: Times,
): Comparison {
  const there = new Set(present);
  const before = [...acknowledged].filter(([, atMs]) => atMs <= brokenAtMs);
  const lost = before.filter(([id]) => !there.has(id));
  const later = [...acknowledged].filter(([id, atMs]) => atMs > brokenAtMs && !there.has(id));
  const first = Math.min(...lost.map(([, atMs]) => atMs));
  return {
    kept: before.length - lost.length,
    lost: lost.map(([id]) => id),
    invented: present.filter((id) => !sent.has(id)),
    lostMs: lost.length === 0 ? 0 : brokenAtMs - first,
    lostWhileBroken: later.filter(([, atMs]) => atMs <= backAtMs).map(([id]) => id),
    lostAfterwards: later.filter(([, atMs]) => atMs > backAtMs).map(([id]) => id),
  };
}

export class Client {
  /** By number, when it was acknowledged. */
  readonly acknowledged = new Map<number, number>();
  private readonly sent = new Set<number>();
  private readonly url: () => Promise<string>;
  private readonly collection: string;
  private next = 1;
  private running = true;
  private paused = false;
  private readonly loop: Promise<void>;

  /** Starts writing at once, and goes on whatever happens, until `stop`. */
  constructor(url: () => Promise<string>, collection: string) {
    this.url = url;
    this.collection = collection;
    this.loop = this.write();
  }

  private async write(): Promise<void> {
    while (this.running) {
      if (!this.paused) await this.send(this.next++);
      await sleep(EVERY_MS);
    }
  }

  private async send(id: number): Promise<void> {
    this.sent.add(id);
    try {
      const address = `${await this.url()}/${this.collection}/${id}`;
      const answer = await fetch(address, { method: 'POST', signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
      await answer.arrayBuffer();
      if (answer.status === 201) this.acknowledged.set(id, Date.now());
    } catch {
      // The service is away: what it did not acknowledge it does not owe.
    }
  }

  /** Resolves when so many more records were acknowledged from now on. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged.size + count;
    await waitFor(`${count} more records`, LIMIT_MS, () => {
      if (!this.running) throw new Error('the users have gone');
      return Promise.resolve(this.acknowledged.size >= goal ? true : undefined);
    });
  }

  /** Writes nothing while it works. */
  async quiet<T>(work: () => Promise<T>): Promise<T> {
    this.paused = true;
    try {
      await sleep(EVERY_MS * 3);
      return await work();
    } finally {
      this.paused = false;
    }
  }

  async health(): Promise<{ readonly ok: boolean; readonly text: string }> {
    try {
      const answer = await fetch(`${await this.url()}/health`, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
      return { ok: answer.ok, text: (await answer.text()).trim() };
    } catch (error) {
      return { ok: false, text: error instanceof Error ? error.message : String(error) };
    }
  }

  /** What its health says while it is not well; undefined while it is. */
  async trouble(): Promise<string | undefined> {
    const { ok, text } = await this.health();
    return ok ? undefined : text;
  }

  async present(): Promise<number[]> {
    const answer = await fetch(`${await this.url()}/${this.collection}`, { signal: AbortSignal.timeout(60_000) });
    if (!answer.ok) throw new Error(`${this.collection}: ${await answer.text()}`);
    return (await answer.json()) as number[];
  }

  /** What is there now against what was acknowledged. */
  async compare(times: Times): Promise<Comparison> {
    return compare(this.acknowledged, this.sent, await this.present(), times);
  }

  /** What was lost and said so is owed no longer. */
  forget(lost: readonly number[]): void {
    for (const id of lost) this.acknowledged.delete(id);
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.loop;
  }
}
