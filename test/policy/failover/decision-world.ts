/**
 * Sites that write, back up and lose one another, with what is really true beside what each of them can see: which states of the
 * system follow from which, whatever clocks and generations say.
 */
import type { CopyHere } from '../../../src/policy/failover/decide.ts';
import type { GenerationOrigin, Origin } from '../../../src/policy/failover/lineage.ts';
import type { Generation } from '../../../src/policy/failover/lease.ts';
import { captureUnder, standingOf } from '../../../src/policy/failover/standing.ts';
import { Random } from '../../../scripts/bench/random.ts';

/** After so many writes within one generation. */
export interface State {
  readonly generation: number;
  readonly writes: number;
}

export interface Backup extends Omit<CopyHere, 'store' | 'unusable'> {
  readonly state: State;
}

interface Site {
  readonly name: string;
  /** Its clock against the true one, and for good. */
  readonly clockAheadMs: number;
  /** What it knows: the newest generation that it has read. */
  believed: Generation | undefined;
  /** Its stack runs by its own lights, and this is what it has got to. */
  running: State | undefined;
  cutOff: boolean;
}

export interface Stored {
  readonly backup: Backup;
  readonly unusable: string | undefined;
}

const STORES = ['near', 'far', 'nas'] as const;

export class DecisionWorld {
  readonly random: Random;
  readonly sites: readonly Site[];
  readonly stores = new Map<string, Stored[]>(STORES.map((name) => [name, []]));
  readonly generations: (Generation & { readonly origin?: Origin })[] = [];
  /** Of each generation what it began with. */
  private readonly begun = new Map<number, State>();
  nowMs = Date.parse('2026-11-22T04:00:00Z');
  private backups = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.sites = ['ohio', 'paris', 'oslo'].slice(0, 2 + this.random.below(2)).map((name) => ({
      name,
      clockAheadMs: this.chance(0.3) ? this.random.below(1_200_000) - 600_000 : this.random.below(2000) - 1000,
      believed: undefined,
      running: undefined,
      cutOff: false,
    }));
    // Of before there were sites.
    if (this.chance(0.5)) this.store(this.made(this.site(0), { generation: 0, writes: 0 }));
    this.raise(this.site(0), { generation: 0, writes: 0 }, undefined);
  }

  chance(part: number): boolean {
    return this.random.word() < part * 0x1_0000_0000;
  }

  site(index: number): Site {
    return this.sites[index] ?? fail(`no site ${index}`);
  }

  anySite(): Site {
    return this.site(this.random.below(this.sites.length));
  }

  get newest(): Generation & { readonly origin?: Origin } {
    return this.generations.at(-1) ?? fail('there is no generation');
  }

  /** By the authority store. */
  get active(): Site {
    return this.sites.find(({ name }) => name === this.newest.site) ?? fail('no active site');
  }

  /** By which the history is judged. */
  origins(): GenerationOrigin[] {
    return this.generations.map(({ n, origin }) => (origin === undefined ? { n } : { n, origin }));
  }

  clockOf(site: Site): number {
    return this.nowMs + site.clockAheadMs;
  }

  pass(): void {
    // From a second to an hour: what follows soon meets clocks that are apart.
    this.nowMs += 1000 + this.random.below(this.chance(0.5) ? 30_000 : 3_600_000);
    for (const site of this.sites) {
      if (!site.cutOff) this.hear(site);
      if (site.running !== undefined) {
        site.running = { ...site.running, writes: site.running.writes + this.random.below(4) };
      }
    }
  }

  /** A site that reads the authority store stops what it may not run. */
  private hear(site: Site): void {
    const standing = standingOf(this.newest, site.name, site.believed);
    if (standing.kind === 'unreadable') throw new Error(`${site.name}: the store shows less than before`);
    site.believed = this.newest;
    if (standing.kind !== 'active') site.running = undefined;
  }

  /** Also at a site that was fenced and does not know it. */
  backUp(site: Site): void {
    if (site.running === undefined) return;
    const standing = site.cutOff
      ? { kind: 'unreadable' as const, why: 'no answer', ...(site.believed && { last: site.believed }) }
      : standingOf(this.newest, site.name, site.believed);
    const capture = captureUnder(standing, site.name);
    if (capture.kind === 'refuse') return;
    if (capture.generation !== site.running.generation)
      throw new Error(`${site.name} captures under a strange generation`);
    this.store(this.made(site, site.running));
    // So that no two backups hold the same, and which of them is newer is never a matter of taste.
    site.running = { ...site.running, writes: site.running.writes + 1 };
  }

  private made(site: Site, state: State): Backup {
    this.backups += 1;
    this.nowMs += 1;
    return {
      ...{ backup: `b${this.backups}`, generation: state.generation, pointAtMs: this.clockOf(site), state },
      ...(this.chance(0.3) ? { proved: 'restored' as const } : {}),
    };
  }

  private store(backup: Backup): void {
    for (const stored of this.stores.values()) {
      if (this.chance(0.6)) stored.push({ backup, unusable: this.chance(0.15) ? 'a chunk is missing' : undefined });
    }
  }

  raise(site: Site, from: State, origin: Origin | undefined): void {
    const n = this.generations.length + 1;
    this.generations.push({ n, site: site.name, cleared: true, ...(origin === undefined ? {} : { origin }) });
    this.begun.set(n, from);
    site.running = { generation: n, writes: 0 };
    site.believed = this.newest;
  }

  /** Restored at a site that takes over; or given up half-way, and back to the site before. */
  takeOver(site: Site, backup: Backup, origin: Origin): void {
    const [before, active] = [this.newest, this.active];
    this.raise(site, backup.state, origin);
    if (!this.chance(0.25)) return;
    site.running = undefined;
    const left = active.running?.generation === before.n ? active.running : undefined;
    // What it goes on from is what it had, down or not.
    const state = left ?? { generation: before.n, writes: this.writesOf(before.n) };
    this.raise(active, state, { generation: before.n });
  }

  /** At most, of a generation whose site has stopped. */
  private writesOf(generation: number): number {
    const backups = [...this.stores.values()].flat().map(({ backup }) => backup.state);
    return Math.max(0, ...backups.filter((state) => state.generation === generation).map(({ writes }) => writes));
  }

  /** Whether a state is one that the history in force has gone through, and how late in it: the later the greater. */
  placeInHistory({ generation, writes }: State): number | undefined {
    let limit = Number.POSITIVE_INFINITY;
    let at = this.newest.n;
    for (let steps = 0; ; steps += 1) {
      if (at === generation) return writes <= limit ? -steps * 1e9 + writes : undefined;
      const from = this.begun.get(at);
      if (from === undefined) return undefined;
      limit = from.writes;
      at = from.generation;
    }
  }
}

function fail(what: string): never {
  throw new Error(what);
}
