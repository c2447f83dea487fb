/** Machines with clocks of their own, and the requests by which they reach one store, with everything that goes wrong on the way. */
import type { Renewed } from '../../../src/policy/failover/lease.ts';
import { EventQueue, randomOf } from './events.ts';

/** From here on all requests come through. */
export const FAULTS_UNTIL_MS = 600_000;
const REQUEST_LIMIT_MS = 8000;

export interface Host {
  readonly name: string;
  readonly site: string;
  readonly rate: number;
  bootedAtMs: number;
  awakeAtMs: number;
  /** Of the guard's process: what was begun for an earlier one comes to nothing. */
  life: number;
  renewed: Renewed | undefined;
  /** On its disk, for the guards of one boot. */
  lastUntilMs: number | undefined;
  sequence: number;
  asking: boolean;
  nextAskMs: number;
  up: boolean;
  /** Of the last start or stop: a newer one overtakes it. */
  command: number;
  stopping: boolean;
}

export class World {
  protected readonly queue = new EventQueue();
  /** Until when a site reaches nothing. */
  protected readonly cut = new Map<string, number>();
  protected now = 0;
  protected readonly random: () => number;
  private readonly slowPart: number;
  private readonly lostPart: number;

  constructor(seed: number) {
    this.random = randomOf(seed);
    // Each schedule has troubles of its own kind: where all are mixed, the rare ones hide one another.
    this.slowPart = this.any([0, 0.05, 0.4]);
    this.lostPart = this.any([0, 0.03, 0.1]);
  }

  /**
   * One request to the store. Its effect may come late, long after the one who asked gave up; its answer may be lost. What
   * was asked by a guard that died comes to nothing for the next one, and may still have its effect.
   */
  protected request<T>(host: Host, life: number, effect: () => T, failed: () => void, then: (answer: T) => void): void {
    let open = true;
    const settle = (act: () => void): void => {
      if (!open || host.life !== life) return;
      if (this.now < host.awakeAtMs) {
        this.at(host.awakeAtMs, () => settle(act));
        return;
      }
      open = false;
      act();
    };
    const slow =
      this.isTroubled() && this.chance(this.slowPart)
        ? this.between(0, this.any([2000, 60_000]))
        : this.between(1, 400);
    this.in(slow, () => {
      const cutUntil = this.cut.get(host.site) ?? 0;
      if (this.now < cutUntil) {
        // Lost, or held somewhere on the way.
        if (this.chance(0.8)) return;
        this.at(cutUntil, () => void effect());
        return;
      }
      const answer = effect();
      if (this.isTroubled() && this.chance(this.lostPart)) return;
      this.in(this.isTroubled() && this.chance(this.slowPart) ? this.between(0, 20_000) : this.between(1, 400), () =>
        settle(() => then(answer)),
      );
    });
    this.in(REQUEST_LIMIT_MS / host.rate, () => settle(failed));
  }

  protected isTroubled(): boolean {
    return this.now < FAULTS_UNTIL_MS;
  }

  protected clock(host: Host): number {
    return (this.now - host.bootedAtMs) * host.rate;
  }

  protected chance(part: number): boolean {
    return this.random() < part;
  }

  protected between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  protected any<T>(all: readonly T[]): T {
    const [found] = all.slice(Math.floor(this.random() * all.length));
    if (found === undefined) throw new Error('nothing to choose from');
    return found;
  }

  protected in(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  protected at(at: number, run: () => void): void {
    this.queue.add(at, run);
  }
}
