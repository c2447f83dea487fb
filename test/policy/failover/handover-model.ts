/**
 * Two sites change over, on one authority store: requests lost and late, either site dying at any
 * step for a while, people who change their minds, time limits that end at any moment, restores that fail. It plays the
 * decisions of src/policy/failover/handover.ts, and looks at every moment whether both sites run and whether a write is lost.
 */
import {
  askedSiteNext,
  askingSiteNext,
  handedTo,
  type HandoverOutcome,
  type HandoverSeen,
} from '../../../src/policy/failover/handover.ts';
import type { Generation } from '../../../src/policy/failover/lease.ts';

/** Protocols with one rule left out: the model must find what goes wrong in each. */
export const BROKEN = [
  'answered before it has stopped',
  'backed up before it has stopped',
  'started again without raising',
  'raised without an answer',
  'a withdrawal beside the answer',
] as const;
export type Broken = (typeof BROKEN)[number];

export interface Played {
  readonly violation: string | undefined;
  readonly handedOver: boolean;
  readonly active: readonly string[];
}

const OLD = 'frankfurt';
const NEW = 'ohio';
const STEPS = 60;
const QUIET_STEPS = 60;

/** mulberry32: the same seed plays the same schedule. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Attempt {
  readonly request: { readonly n: number; readonly attempt: number; readonly site: string; readonly requestId: string };
  answer?: HandoverOutcome;
  backup?: number;
}

export function play({ seed, broken }: { readonly seed: number; readonly broken?: Broken }): Played {
  return new Handover(seed, broken).run();
}

class Handover {
  private readonly random: () => number;
  private readonly broken: Broken | undefined;
  private readonly generations: (Generation & { cleared: boolean })[] = [{ n: 1, site: OLD, cleared: true }];
  private readonly attempts: Attempt[] = [];
  private readonly story: string[] = [];
  private readonly late: (() => boolean)[] = [];
  private violation: string | undefined;
  /** What each site's own disk and history hold: a crash keeps them. */
  private readonly old = { running: true, stoppedFor: undefined as Attempt | undefined, backup: -1, failed: false };
  private readonly now = { running: false, wants: true, runs: 1, restored: false };
  private writes = 0;
  private quiet = false;

  constructor(seed: number, broken: Broken | undefined) {
    this.random = random(seed);
    this.broken = broken;
  }

  run(): Played {
    for (let step = 0; step < STEPS + QUIET_STEPS && this.violation === undefined; step += 1) {
      this.quiet = step >= STEPS;
      // Whoever is down for a while takes no step.
      if (this.old.running) this.writes += 1;
      this.arrive();
      if (this.chance(0.5)) this.oldStep();
      else this.newStep();
      this.look();
    }
    const active = [...(this.old.running ? [OLD] : []), ...(this.now.running ? [NEW] : [])];
    if (this.violation === undefined && active.length !== 1)
      this.violation = this.told(`${active.length} run at the end`);
    return { violation: this.violation, handedOver: this.now.running, active };
  }

  private seen(): HandoverSeen {
    const generation = this.newest();
    const last = this.attempts.findLast(({ request }) => request.n === generation.n + 1);
    return {
      generation: { ...generation },
      ...(last === undefined ? {} : { request: last.request }),
      ...(last?.answer === undefined ? {} : { answer: { outcome: last.answer } }),
    };
  }

  private oldStep(): void {
    const seen = this.seen();
    const { old, broken } = this;
    const attempt =
      old.stoppedFor ?? this.attempts.findLast(({ request, answer }) => request.n === seen.generation.n + 1 && !answer);
    if (attempt === undefined) {
      // Where nobody asks it runs by its generation, as its guard sees it.
      const mine = seen.generation.site === OLD && seen.generation.cleared && handedTo(seen) === undefined;
      if (mine && !old.running) this.startOld();
      return;
    }
    const { n, attempt: number } = attempt.request;
    const stopped = old.stoppedFor === attempt || broken === 'answered before it has stopped';
    const next = askedSiteNext(seen, {
      ...{ site: OLD, n, attempt: number, stopped },
      proved: old.backup >= 0,
      ...(old.failed ? { failed: 'its last backup failed' } : {}),
      waitedOut: this.quiet || this.chance(0.15),
    });
    switch (next.kind) {
      case 'stop':
        if (broken === 'backed up before it has stopped' && old.backup < 0) {
          old.backup = this.writes;
          break;
        }
        old.running = false;
        old.stoppedFor = attempt;
        this.say('frankfurt stops');
        break;
      case 'back up':
        if (!this.quiet && this.chance(0.1)) old.failed = true;
        else old.backup = this.writes;
        break;
      case 'answer stopped':
        this.request(() => this.answer(attempt, 'stopped', old.backup));
        break;
      case 'refuse':
        this.request(() => this.answer(attempt, 'refused'));
        break;
      case 'raise for itself':
        if (broken === 'started again without raising') this.startOld();
        else this.request(() => this.raise(n, OLD));
        break;
      case 'clear':
        this.request(() => this.clear(n, OLD));
        break;
      case 'start again':
        this.startOld();
        break;
      case 'handed over':
        old.stoppedFor = undefined;
        old.running = false;
        old.backup = -1;
        break;
      case 'wait':
    }
  }

  private newStep(): void {
    const { now, broken } = this;
    const newest = this.newest();
    if (!this.quiet && this.chance(0.03)) now.wants = !now.wants;
    if (newest.site === NEW) this.takeOver(newest.n);
    else {
      const n = newest.n + 1;
      const own = { site: NEW, requestId: `run ${now.runs}`, wants: now.wants };
      const next = askingSiteNext(this.seen(), n, own);
      if (broken === 'raised without an answer' && next.kind === 'wait') this.raise(n, NEW);
      const last = this.attempts.findLast(({ request }) => request.n === n);
      switch (next.kind) {
        case 'ask':
          this.request(() => this.ask(n, own.requestId));
          break;
        case 'withdraw':
          if (last !== undefined) this.request(() => this.answer(last, 'withdrawn'));
          break;
        case 'raise':
          this.request(() => this.raise(n, NEW));
          break;
        case 'give back':
          this.request(() => this.raise(n, OLD) && (this.chance(0.5) || this.clear(n, OLD)));
          break;
        case 'over':
          // A person tries again, or lets it be.
          if (next.why !== 'never asked') now.runs += 1;
          now.wants = !this.quiet && this.chance(0.5);
          break;
        case 'wait':
          // Its time is over.
          if (this.quiet || this.chance(0.05)) now.wants = false;
      }
    }
  }

  private takeOver(n: number): void {
    const { now } = this;
    if (now.running) return;
    if (!this.newest().cleared) this.request(() => this.clear(n, NEW));
    else if (!this.quiet && this.chance(0.1)) {
      // The restore failed: it never ran, and the site before has the next one.
      this.say('ohio gives back');
      this.raise(n + 1, OLD);
      this.clear(n + 1, OLD);
    } else {
      const backup = this.attempts.findLast(({ request, answer }) => request.n === n && answer === 'stopped')?.backup;
      now.running = true;
      if (backup !== this.writes) this.violation = this.told(`started with ${String(backup)} of ${this.writes} writes`);
    }
  }

  private startOld(): void {
    this.old.running = true;
    this.old.stoppedFor = undefined;
    this.old.backup = -1;
    this.old.failed = false;
    this.say('frankfurt starts');
  }

  private ask(n: number, requestId: string): boolean {
    const last = this.attempts.findLast(({ request }) => request.n === n);
    if (last !== undefined && last.answer === undefined) last.answer = 'withdrawn';
    if (last?.answer === 'stopped') return false;
    this.attempts.push({ request: { n, attempt: (last?.request.attempt ?? 0) + 1, site: NEW, requestId } });
    return true;
  }

  private answer(attempt: Attempt, outcome: HandoverOutcome, backup?: number): boolean {
    const beside = this.broken === 'a withdrawal beside the answer';
    if (attempt.answer !== undefined && !beside) return false;
    attempt.answer = outcome;
    if (backup !== undefined) attempt.backup = backup;
    this.say(`${outcome} ${attempt.request.n}.${attempt.request.attempt}`);
    return true;
  }

  private raise(n: number, site: string): boolean {
    if (this.newest().n >= n) return false;
    this.generations.push({ n, site, cleared: false });
    this.say(`${n} is for ${site}`);
    return true;
  }

  private clear(n: number, site: string): boolean {
    const found = this.generations.find((one) => one.n === n && one.site === site);
    if (found !== undefined) found.cleared = true;
    return found !== undefined;
  }

  private newest(): Generation {
    const last = this.generations.at(-1);
    if (last === undefined) throw new Error('there is always a first');
    return last;
  }

  /**
   * One request to the store: it may be lost, or come late, when what it was decided by is long over. That its answer is lost
   * is a repeat, since nobody here keeps one.
   */
  private request(effect: () => boolean): void {
    if (!this.quiet && this.chance(0.2)) return;
    if (!this.quiet && this.chance(0.3)) this.late.push(effect);
    else effect();
  }

  private arrive(): void {
    const index = this.late.findIndex(() => this.quiet || this.chance(0.2));
    if (index !== -1) this.late.splice(index, 1)[0]?.();
  }

  private look(): void {
    if (this.violation === undefined && this.old.running && this.now.running) this.violation = this.told('both run');
  }

  private chance(part: number): boolean {
    return this.random() < part;
  }

  private say(what: string): void {
    this.story.push(what);
  }

  private told(what: string): string {
    return `${what}: ${this.story.join(', ')}`;
  }
}
