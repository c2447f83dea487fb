/** When the stack of each site ran, by its Docker engine's own events, and whether two ran at the same moment. */
import type Docker from 'dockerode';

/** Nanoseconds of the one clock that both engines read: they are on one kernel here. */
export interface Ran {
  readonly site: string;
  readonly fromNs: bigint;
  readonly toNs: bigint;
}

interface Event {
  readonly Action?: string;
  readonly id?: string;
  readonly timeNano?: number;
}

/** Follows one engine until it ends or is told to; what ran then has run until that moment. */
export class SiteWatch {
  readonly ran: Ran[] = [];
  /** As its engine found it: from its first good check until it ended, or was found ill. */
  readonly wasHealthy: Ran[] = [];
  private readonly site: string;
  private readonly since = new Map<string, bigint>();
  private readonly healthySince = new Map<string, bigint>();
  private stop: (() => void) | undefined;
  private isAsleep = false;

  constructor(site: string) {
    this.site = site;
  }

  async follow(docker: Docker): Promise<void> {
    const events = await docker.getEvents({ filters: { type: ['container'] } });
    const stream = events as typeof events & { destroy(): void };
    this.stop = () => stream.destroy();
    let rest = '';
    stream.on('data', (bytes: Buffer) => {
      const lines = `${rest}${bytes.toString()}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines.filter((one) => one !== '')) this.heed(JSON.parse(line) as Event);
    });
    stream.on('error', () => undefined);
    for (const { Id, Status } of await docker.listContainers()) {
      if (!this.since.has(Id)) this.since.set(Id, nowNs());
      if (Status.includes('(healthy)') && !this.healthySince.has(Id)) this.healthySince.set(Id, nowNs());
    }
  }

  /** Nothing is heard any more; what runs goes on running. */
  leave(): void {
    this.stop?.();
    this.stop = undefined;
  }

  /** The machine has lost its power. */
  everythingEnded(atNs = nowNs()): void {
    this.leave();
    for (const id of [...this.since.keys()]) this.end(id, atNs);
  }

  /** Nothing runs on a machine that sleeps. */
  asleep(): void {
    const atNs = nowNs();
    for (const fromNs of this.since.values()) this.ran.push({ site: this.site, fromNs, toNs: atNs });
    this.isAsleep = true;
  }

  /** What ran when it fell asleep goes on from now. */
  woke(): void {
    const atNs = nowNs();
    for (const id of this.since.keys()) this.since.set(id, atNs);
    this.isAsleep = false;
  }

  /** What runs at present counts up to now. */
  intervals(): Ran[] {
    if (this.isAsleep) return [...this.ran];
    const open = [...this.since.values()].map((fromNs) => ({ site: this.site, fromNs, toNs: nowNs() }));
    return [...this.ran, ...open];
  }

  /** Likewise of those times in which it was healthy. */
  healthy(): Ran[] {
    const open = [...this.healthySince.values()].map((fromNs) => ({ site: this.site, fromNs, toNs: nowNs() }));
    return [...this.wasHealthy, ...open];
  }

  /** What has ended counts no more. */
  forget(): void {
    this.ran.length = 0;
    this.wasHealthy.length = 0;
  }

  private heed({ Action = '', id = '', timeNano = 0 }: Event): void {
    if (Action === 'start') this.since.set(id, BigInt(timeNano));
    else if (Action === 'die') this.end(id, BigInt(timeNano));
    else if (Action === 'health_status: healthy') this.healthySince.set(id, BigInt(timeNano));
    else if (Action.startsWith('health_status')) this.ill(id, BigInt(timeNano));
  }

  private ill(id: string, toNs: bigint): void {
    const fromNs = this.healthySince.get(id);
    if (fromNs === undefined) return;
    this.healthySince.delete(id);
    this.wasHealthy.push({ site: this.site, fromNs, toNs });
  }

  private end(id: string, toNs: bigint): void {
    this.ill(id, toNs);
    const fromNs = this.since.get(id);
    if (fromNs === undefined) return;
    this.since.delete(id);
    this.ran.push({ site: this.site, fromNs, toNs });
  }
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

export interface Overlap {
  readonly sites: readonly [string, string];
  readonly ms: number;
}

/** Pure: of the times at two sites those that have a moment in common. */
export function overlaps(one: readonly Ran[], other: readonly Ran[]): Overlap[] {
  return one.flatMap((a) =>
    other.flatMap((b) => {
      const from = a.fromNs > b.fromNs ? a.fromNs : b.fromNs;
      const to = a.toNs < b.toNs ? a.toNs : b.toNs;
      return to > from ? [{ sites: [a.site, b.site] as const, ms: Number(to - from) / 1e6 }] : [];
    }),
  );
}
