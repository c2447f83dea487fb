/**
 * Two sites, their guards and those who take over, on one authority store, with everything that goes wrong between them:
 * requests lost, late or answered to nobody, clocks that run apart, guards killed, machines rebooted and asleep, networks
 * cut. It plays the decisions of src/policy/failover/lease.ts and looks at every moment whether both sites run.
 */
import {
  CLOCK_ALLOWANCE,
  fencedFromMs,
  heldUntilMs,
  nextGuardAction,
  nextRenewalAtMs,
  rememberRenewals,
  stopWithinMs,
  type Generation,
  type LeaseTimes,
  type Renewed,
  type RenewalSeen,
} from '../../../src/policy/failover/lease.ts';
import type { Broken, Played, PlayOptions } from './lease-protocols.ts';
import { FAULTS_UNTIL_MS, World, type Host } from './lease-world.ts';

export { BROKEN, type Broken } from './lease-protocols.ts';

const TIMES: LeaseTimes = { leaseMs: 40_000, stopMs: 10_000 };
const GUARD_EVERY_MS = 1000;
const END_MS = 1_200_000;
/** Two clocks that run apart by less than the allowance. */
const DRIFT = 0.045;
const SITES = ['here', 'there'] as const;

/** Plays one schedule. The same seed plays the same one. */
export function play(options: PlayOptions): Played {
  return new Sites(options).run();
}

class Sites extends World {
  private readonly hosts: Host[];
  private readonly generations: Generation[] = [{ n: 1, site: 'here', cleared: true }];
  private readonly renewals = new Map<string, Set<number>>();
  private readonly broken: Broken | undefined;
  private readonly story: string[] = [];
  private readonly longestStopPart: number;
  private readonly cutAtRaisePart: number;
  private violation: string | undefined;
  private takeovers = 0;
  private stops = 0;
  private starts = 0;

  constructor({ seed, broken }: PlayOptions) {
    super(seed);
    this.broken = broken;
    this.longestStopPart = this.any([0, 0.3, 1]);
    this.cutAtRaisePart = this.any([0, 0.4, 1]);
    this.hosts = SITES.flatMap((site) => (this.chance(0.3) ? [1, 2] : [1]).map((n) => this.newHost(site, n)));
  }

  run(): Played {
    for (const host of this.hosts) this.guard(host, host.life);
    this.disturb();
    for (let next = this.queue.take(); next !== undefined && next.at <= END_MS; next = this.queue.take()) {
      this.now = next.at;
      next.run();
      if (this.violation !== undefined) break;
    }
    return {
      violation: this.violation,
      takeovers: this.takeovers,
      stops: this.stops,
      starts: this.starts,
      active: [...new Set(this.hosts.filter(({ up }) => up).map(({ site }) => site))],
      newest: this.generations.at(-1),
    };
  }

  private newHost(site: string, n: number): Host {
    return {
      ...{ name: `${site}-${n}`, site, rate: 1 + this.any([-DRIFT, 0, DRIFT]), bootedAtMs: 0, awakeAtMs: 0, life: 1 },
      ...{
        renewed: undefined,
        lastUntilMs: undefined,
        sequence: 0,
        asking: false,
        nextAskMs: 0,
        up: false,
        command: 0,
        stopping: false,
      },
    };
  }

  // The guard of one machine.

  private guard(host: Host, life: number): void {
    if (host.life !== life) return;
    if (this.now < host.awakeAtMs) {
      this.at(host.awakeAtMs, () => this.guard(host, life));
      return;
    }
    const nowMs = this.clock(host);
    const renewed = this.broken === 'started before it is cleared' ? clearedAnyway(host.renewed) : host.renewed;
    const stack = host.up ? 'up' : host.stopping ? 'unknown' : 'down';
    const untilMs = heldUntilMs({ site: host.site, times: TIMES, renewed });
    const action = nextGuardAction({ nowMs, site: host.site, times: TIMES, renewed, stack, wanted: true });
    if (action.kind === 'start') this.startStack(host);
    if (action.kind === 'stop' && !host.stopping) this.stopStack(host, action.why);
    if (!host.asking && nowMs >= host.nextAskMs) this.renew(host, life);
    // It looks every second; what lies between, when nothing can have changed for it, is passed over.
    const looksAgainMs = Math.min(host.nextAskMs, untilMs !== undefined && nowMs < untilMs ? untilMs : Infinity);
    const idleMs = host.asking || stack === 'unknown' ? 0 : Math.max(0, looksAgainMs - nowMs);
    this.in((idleMs + this.between(1, GUARD_EVERY_MS)) / host.rate, () => this.guard(host, life));
  }

  private renew(host: Host, life: number): void {
    host.asking = true;
    const askedAtMs = this.clock(host);
    const over = (newest?: Generation): void => {
      host.asking = false;
      const answered = newest !== undefined;
      const from = this.broken === 'lease counted from the answer' ? this.clock(host) : askedAtMs;
      if (answered) this.goBy(host, { askedAtMs: from, newest });
      host.nextAskMs = nextRenewalAtMs({ askedAtMs, nowMs: this.clock(host), answered }, TIMES);
    };
    const sequence = (host.sequence += 1);
    const write = (then: () => void): void =>
      this.request(
        host,
        life,
        () => this.written(host.name, sequence),
        over,
        (done) => (done ? then() : over()),
      );
    const read = (then: (newest: Generation | undefined) => void): void =>
      this.request(host, life, () => this.generations.at(-1), over, then);
    if (this.broken === 'generation read before the renewal is written') read((newest) => write(() => over(newest)));
    else write(() => read(over));
  }

  private goBy(host: Host, renewed: Renewed): void {
    host.renewed = renewed;
    const untilMs = heldUntilMs({ site: host.site, times: TIMES, renewed });
    if (untilMs !== undefined) host.lastUntilMs = Math.max(untilMs, host.lastUntilMs ?? untilMs);
  }

  private written(host: string, sequence: number): boolean {
    const there = this.renewals.get(host) ?? new Set();
    this.renewals.set(host, there);
    if (there.has(sequence)) return false;
    there.add(sequence);
    return true;
  }

  private startStack(host: Host): void {
    const command = (host.command += 1);
    this.in(this.between(0, 3000), () => {
      if (host.command !== command || host.up) return;
      host.up = true;
      this.starts += 1;
      this.tell(`${host.name} runs`);
      this.look();
    });
  }

  private stopStack(host: Host, why: string): void {
    const command = (host.command += 1);
    host.stopping = true;
    // The guard's own interval is part of what was declared.
    const again = this.broken === 'a stop that is begun again has its whole time';
    const withinMs = again ? TIMES.stopMs : stopWithinMs(host.lastUntilMs, this.clock(host), TIMES);
    const longestMs = Math.min(withinMs, TIMES.stopMs - GUARD_EVERY_MS);
    this.in((this.chance(this.longestStopPart) ? longestMs : this.between(0, longestMs)) / host.rate, () => {
      if (host.command !== command) return;
      this.down(host, why);
    });
  }

  private down(host: Host, why: string): void {
    if (host.up) this.tell(`${host.name} stopped: ${why}`);
    if (host.up) this.stops += 1;
    host.up = false;
    host.stopping = false;
    host.command += 1;
  }

  // Taking over, by a process on a machine of the other site.

  /** Goes on by itself until it is cleared, or another one has won; a dead process does not. */
  private takeOver(host: Host): void {
    const { life } = host;
    const again = (): void => {
      if (host.life === life) this.in(1000, () => this.takeOver(host));
    };
    this.request(
      host,
      life,
      () => this.generations.at(-1),
      again,
      (before) => {
        if (before === undefined || (before.site === host.site && before.cleared)) return;
        this.request(
          host,
          life,
          () => this.othersRenewals(host),
          again,
          (early) => {
            const seen = rememberRenewals([], early, this.clock(host));
            if (before.site === host.site) {
              this.waitForFence(host, life, before.n, this.fencedFrom(seen));
              return;
            }
            this.in(this.between(0, 90_000), () => this.raise(host, life, before, seen));
          },
        );
      },
    );
  }

  private raise(host: Host, life: number, before: Generation, seen: readonly RenewalSeen[]): void {
    if (host.life !== life) return;
    if (this.now < host.awakeAtMs) {
      this.at(host.awakeAtMs, () => this.raise(host, life, before, seen));
      return;
    }
    const n = before.n + 1;
    const again = (): void => this.in(1000, () => this.takeOver(host));
    this.request(
      host,
      life,
      () => this.raised(n, host.site),
      again,
      (won) => {
        // Its own earlier request may have come through, and only the answer been lost.
        if (!won) {
          again();
          return;
        }
        this.request(
          host,
          life,
          () => this.othersRenewals(host),
          again,
          (read) => {
            const known =
              this.broken === 'no reading after the raise' ? seen : rememberRenewals(seen, read, this.clock(host));
            this.waitForFence(host, life, n, this.fencedFrom(known));
          },
        );
      },
    );
  }

  private raised(n: number, site: string): boolean {
    if ((this.generations.at(-1)?.n ?? 0) >= n) return false;
    this.generations.push({ n, site, cleared: false });
    this.tell(`${site} raises ${n}`);
    // The moment at which it matters most that the other side hears nothing.
    const other = SITES.find((one) => one !== site) ?? site;
    if (this.chance(this.cutAtRaisePart))
      this.in(this.between(0, 3000), () => this.cut.set(other, this.now + this.between(1000, 90_000)));
    return true;
  }

  private fencedFrom(known: readonly RenewalSeen[]): number {
    if (this.broken === 'no waiting') return 0;
    const fromMs = fencedFromMs(known);
    if (this.broken !== 'no allowance for clocks') return fromMs;
    return fromMs - (TIMES.leaseMs + TIMES.stopMs) * CLOCK_ALLOWANCE;
  }

  private waitForFence(host: Host, life: number, n: number, fromMs: number): void {
    if (host.life !== life) return;
    if (this.now < host.awakeAtMs) {
      this.at(host.awakeAtMs, () => this.waitForFence(host, life, n, fromMs));
      return;
    }
    if (this.clock(host) < fromMs) {
      this.in(500, () => this.waitForFence(host, life, n, fromMs));
      return;
    }
    this.request(
      host,
      life,
      () => this.clear(n),
      () => this.waitForFence(host, life, n, fromMs),
      () => undefined,
    );
  }

  private clear(n: number): void {
    const at = this.generations.findIndex((one) => one.n === n);
    const [found] = this.generations.slice(at, at + 1);
    if (found === undefined || found.cleared) return;
    this.generations[at] = { ...found, cleared: true };
    this.takeovers += 1;
    this.tell(`${found.site} clears ${n}`);
  }

  /** Of every other site, whichever was active last: one that raised and never came to start may still hold a lease. */
  private othersRenewals({ site }: Host): Omit<RenewalSeen, 'firstSeenMs'>[] {
    return this.hosts
      .filter((host) => host.site !== site)
      .flatMap(({ name }) => {
        const numbers = this.renewals.get(name);
        return numbers === undefined ? [] : [{ host: name, mark: [...numbers].join(), times: TIMES }];
      });
  }

  // What goes wrong.

  private disturb(): void {
    for (let at = this.between(1000, 40_000); at < FAULTS_UNTIL_MS; at += this.between(1000, 60_000)) {
      this.at(at, () => this.fault());
    }
    this.at(FAULTS_UNTIL_MS + 200_000, () => this.cut.clear());
    // Whoever asks last, with nothing in the way, must end up active.
    const last = this.any(this.hosts);
    this.at(FAULTS_UNTIL_MS + 210_000, () => this.takeOver(last));
  }

  private fault(): void {
    const host = this.any(this.hosts);
    const kind = this.random();
    if (kind < 0.35) this.takeOver(host);
    else if (kind < 0.6) this.cut.set(host.site, this.now + this.between(1000, 150_000));
    else if (kind < 0.75) this.killGuard(host);
    else if (kind < 0.87) this.reboot(host);
    else this.sleep(host);
  }

  /** What supervises the guard stops the stack when the guard is gone. */
  private killGuard(host: Host): void {
    host.life += 1;
    this.forget(host);
    this.tell(`the guard of ${host.name} dies`);
    this.stopStack(host, 'its guard died');
    const { life } = host;
    this.in(this.between(100, 20_000), () => this.guard(host, life));
  }

  private reboot(host: Host): void {
    host.life += 1;
    this.forget(host);
    this.down(host, 'its machine went down');
    host.awakeAtMs = this.now + this.between(1000, 60_000);
    host.bootedAtMs = host.awakeAtMs;
    host.lastUntilMs = undefined;
    const { life } = host;
    this.at(host.awakeAtMs, () => this.guard(host, life));
  }

  private sleep(host: Host): void {
    this.tell(`${host.name} sleeps`);
    if (this.broken !== 'a machine that sleeps keeps its stack') this.down(host, 'its machine goes to sleep');
    host.awakeAtMs = Math.max(host.awakeAtMs, this.now + this.between(1000, 200_000));
  }

  private forget(host: Host): void {
    host.renewed = undefined;
    host.asking = false;
    host.nextAskMs = 0;
    host.stopping = false;
    // As a new process finds it by listing what lies there.
    host.sequence = Math.max(host.sequence, ...(this.renewals.get(host.name) ?? []));
  }

  private look(): void {
    const [one, other] = SITES.map((site) => this.hosts.find((host) => host.up && host.site === site));
    if (one === undefined || other === undefined) return;
    const held = [one, other].map((host) => {
      const untilMs = heldUntilMs({ site: host.site, times: TIMES, renewed: host.renewed });
      return `${host.name}: now ${Math.round(this.clock(host))}, held until ${String(untilMs)}`;
    });
    this.violation = [`both sites run (${held.join('; ')})`, ...this.story].join('\n');
  }

  private tell(what: string): void {
    this.story.push(`${(this.now / 1000).toFixed(1)} s: ${what}`);
  }
}

function clearedAnyway(renewed: Renewed | undefined): Renewed | undefined {
  if (renewed?.newest === undefined) return renewed;
  return { ...renewed, newest: { ...renewed.newest, cleared: true } };
}
