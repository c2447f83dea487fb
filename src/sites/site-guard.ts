/**
 * Keeps a site's lease on one machine, and is the only one that starts the stack there: without the lease the stack is
 * stopped. Everything it decides is src/policy/failover/lease.ts; here things are begun, and nothing is waited for, so that
 * a store or an engine that hangs never keeps it from stopping.
 */
import { HoldfastError } from '../failures.ts';
import {
  heldUntilMs,
  nextGuardAction,
  nextRenewalAtMs,
  stopWithinMs,
  type Generation,
  type GuardAction,
  type GuardView,
  type LeaseTimes,
  type Renewed,
  type StackSeen,
} from '../policy/failover/lease.ts';

/** The part of a system that runs on this machine. A call that was begun is ended by its signal. */
export interface Stack {
  /** `down` only when nothing of it runs; `partly` when something does, and something that is to run does not. */
  look(signal: AbortSignal): Promise<Exclude<StackSeen, 'unknown'>>;
  /** Resolves when it is up, or as far as it comes; harmless when it is. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when nothing of it runs any more; kills what does not end by itself in good time. Harmless when it is down. */
  stop(withinMs: number, signal: AbortSignal): Promise<void>;
}

/** The authority store, as a guard uses it. Each throws HoldfastError. */
export interface LeaseBook {
  /** Resolves when a new renewal is in the store. */
  renew(times: LeaseTimes): Promise<void>;
  newest(): Promise<Generation | undefined>;
}

export interface GuardGiven {
  readonly site: string;
  readonly times: LeaseTimes;
  readonly stack: Stack;
  readonly book: LeaseBook;
  /** Milliseconds of the boot clock. */
  readonly clock: () => number;
  /** False while somebody has stopped the stack on purpose. */
  readonly wanted: () => boolean;
  /** Told once for each change. */
  readonly tell: (what: GuardNews) => void;
  /** What a guard of the same boot has left: its lease goes on, by the same clock. */
  readonly resumed?: Renewed | undefined;
  /** Until when an earlier guard of the same boot has held the lease, at most. */
  readonly lastUntilMs?: number | undefined;
  /** Called before an answer takes effect. A failure is told, and changes nothing: the next guard then knows less. */
  readonly remember?: (renewed: Renewed) => Promise<void>;
}

export type GuardNews =
  | { readonly kind: 'holding'; readonly generation: number }
  | { readonly kind: 'stopping' | 'unanswered' | 'failing'; readonly why: string }
  | { readonly kind: 'starting'; readonly generation: number }
  | { readonly kind: 'stopped' | 'overdue' };

/** A look that takes longer has not seen anything. */
const LOOK_LIMIT_MS = 5000;

interface Work {
  readonly kind: 'start' | 'stop';
  readonly sinceMs: number;
  readonly abort: AbortController;
}

export class SiteGuard {
  private readonly given: GuardGiven;
  private renewed: Renewed | undefined;
  private stack: GuardView['stack'] = 'unknown';
  private asking: { readonly askedAtMs: number } | undefined;
  private nextAskMs = Number.NEGATIVE_INFINITY;
  /** When somebody was last seen to have stopped the stack on purpose. */
  private unwantedAtMs = Number.NEGATIVE_INFINITY;
  private looking: { readonly sinceMs: number; readonly abort: AbortController } | undefined;
  private work: Work | undefined;
  private told = '';
  private last: number | undefined;

  constructor(given: GuardGiven) {
    this.given = given;
    this.last = given.lastUntilMs;
    this.goBy(given.resumed);
  }

  /** What it knows of the stack. */
  get seen(): StackSeen {
    return this.stack;
  }

  /** The last answer it goes by. */
  get answer(): Renewed | undefined {
    return this.renewed;
  }

  /** Until when the stack may run, by the boot clock; undefined when it may not. */
  get heldUntilMs(): number | undefined {
    return heldUntilMs({ site: this.given.site, times: this.given.times, renewed: this.renewed });
  }

  /** Until when it, or one before it in this boot, has held the lease at most; undefined when none has. */
  get lastUntilMs(): number | undefined {
    return this.last;
  }

  /** A newer generation of another site, or one that is not cleared, that somebody else on this machine has read: the lease is over. */
  learn(newest: Generation): void {
    const { site } = this.given;
    if (this.renewed === undefined || newest.n <= (this.renewed.newest?.n ?? 0)) return;
    if (newest.site !== site || !newest.cleared) this.goBy({ ...this.renewed, newest });
  }

  /** One look at what is known. Called every second; returns at once. */
  tick(): GuardAction {
    const nowMs = this.given.clock();
    this.askAgain(nowMs);
    const { site, times } = this.given;
    const wanted = this.given.wanted();
    if (!wanted) this.unwantedAtMs = nowMs;
    const action = nextGuardAction({ nowMs, site, times, renewed: this.renewed, stack: this.stack, wanted });
    if (action.kind === 'stop') this.stop(nowMs, action.why);
    else if (action.kind === 'start' && this.isOld(this.renewed)) this.nextAskMs = Math.min(this.nextAskMs, nowMs);
    else if (action.kind === 'start') this.start(nowMs, action.generation);
    else if (nowMs < (this.heldUntilMs ?? Number.NEGATIVE_INFINITY))
      this.tell({ kind: 'holding', generation: this.renewed?.newest?.n ?? 0 });
    if (this.work === undefined) this.look(nowMs);
    return action;
  }

  /** Whoever had stopped the stack may have handed the system over meanwhile: what was asked before then starts nothing. */
  private isOld(renewed: Renewed | undefined): boolean {
    return renewed !== undefined && renewed.askedAtMs <= this.unwantedAtMs;
  }

  /** Ends what was begun, and leaves the stack as it is: whoever supervises the guard stops it. */
  close(): void {
    this.work?.abort.abort();
    this.looking?.abort.abort();
  }

  private askAgain(nowMs: number): void {
    const { times } = this.given;
    if (this.asking !== undefined && nowMs >= this.asking.askedAtMs + times.leaseMs / 2)
      this.unanswered(this.asking, 'no answer');
    if (this.asking !== undefined || nowMs < this.nextAskMs) return;
    const asked = { askedAtMs: nowMs };
    this.asking = asked;
    void this.ask(asked);
  }

  /** The newest generation is read only when the renewal is in the store: the whole lease rests on this order. */
  private async ask(asked: { readonly askedAtMs: number }): Promise<void> {
    const { book, times, clock } = this.given;
    try {
      await book.renew(times);
      const newest = await book.newest();
      await this.remember({ ...asked, newest });
      // What comes after its time was given up: a later asking may have been answered already.
      if (this.asking !== asked) return;
      this.asking = undefined;
      this.goBy({ ...asked, newest });
      this.nextAskMs = nextRenewalAtMs({ ...asked, nowMs: clock(), answered: true }, times);
    } catch (error) {
      this.unanswered(asked, wordsOf(error));
    }
  }

  private goBy(renewed: Renewed | undefined): void {
    this.renewed = renewed;
    const ends = [this.last, this.heldUntilMs].filter((end) => end !== undefined);
    this.last = ends.length === 0 ? undefined : Math.max(...ends);
  }

  private async remember(renewed: Renewed): Promise<void> {
    try {
      await this.given.remember?.(renewed);
    } catch (error) {
      this.tell({ kind: 'failing', why: `remember: ${wordsOf(error)}` });
    }
  }

  private unanswered(asked: { readonly askedAtMs: number }, why: string): void {
    if (this.asking !== asked) return;
    const { clock, times } = this.given;
    this.asking = undefined;
    this.nextAskMs = nextRenewalAtMs({ ...asked, nowMs: clock(), answered: false }, times);
    this.tell({ kind: 'unanswered', why });
  }

  private stop(nowMs: number, why: string): void {
    if (this.work?.kind === 'stop') {
      if (nowMs - this.work.sinceMs > this.given.times.stopMs) this.tell({ kind: 'overdue' });
      return;
    }
    this.work?.abort.abort();
    this.tell({ kind: 'stopping', why });
    const work = this.begin('stop', nowMs);
    const withinMs = stopWithinMs(this.last, nowMs, this.given.times);
    void this.end(work, this.given.stack.stop(withinMs, work.abort.signal), 'down');
  }

  private start(nowMs: number, generation: number): void {
    if (this.work !== undefined) return;
    this.tell({ kind: 'starting', generation });
    const work = this.begin('start', nowMs);
    void this.end(work, this.given.stack.start(work.abort.signal), 'up');
  }

  private begin(kind: Work['kind'], sinceMs: number): Work {
    // What a look that is under way will see was so before.
    this.looking?.abort.abort();
    this.looking = undefined;
    this.stack = 'unknown';
    this.work = { kind, sinceMs, abort: new AbortController() };
    return this.work;
  }

  private async end(work: Work, doing: Promise<void>, then: 'up' | 'down'): Promise<void> {
    try {
      await doing;
      if (this.work !== work) return;
      this.stack = then;
      if (then === 'down') this.tell({ kind: 'stopped' });
    } catch (error) {
      if (this.work !== work) return;
      this.tell({ kind: 'failing', why: `${work.kind}: ${wordsOf(error)}` });
    }
    this.work = undefined;
  }

  private look(nowMs: number): void {
    if (this.looking !== undefined) {
      if (nowMs - this.looking.sinceMs < LOOK_LIMIT_MS) return;
      this.looking.abort.abort();
      this.looking = undefined;
      this.stack = 'unknown';
    }
    const looking = { sinceMs: nowMs, abort: new AbortController() };
    this.looking = looking;
    void this.see(looking);
  }

  private async see(looking: { readonly abort: AbortController }): Promise<void> {
    let seen: GuardView['stack'] = 'unknown';
    try {
      seen = await this.given.stack.look(looking.abort.signal);
    } catch (error) {
      if (this.looking === looking) this.tell({ kind: 'failing', why: `look: ${wordsOf(error)}` });
    }
    if (this.looking !== looking) return;
    this.looking = undefined;
    this.stack = seen;
  }

  private tell(what: GuardNews): void {
    const text = JSON.stringify(what);
    if (text === this.told) return;
    this.told = text;
    this.given.tell(what);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof HoldfastError ? `${error.code}: ${error.message}` : String(error);
}
