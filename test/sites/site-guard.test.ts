/** The guard of one machine, by a clock of the test's own: a store or an engine that hangs never keeps it from stopping. */
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import type { Generation } from '../../src/policy/failover/lease.ts';
import { SiteGuard, type GuardNews, type Stack } from '../../src/sites/site-guard.ts';

const TIMES = { leaseMs: 40_000, stopMs: 10_000 };
const OWN: Generation = { n: 1, site: 'frankfurt', cleared: true };

type Answer = 'ok' | 'hangs' | 'fails';

class Machine implements Stack {
  nowMs = 5000;
  up = false;
  wanted = true;
  /** Something of it is down, and the rest runs. */
  fallen = false;
  newest: Generation | undefined = OWN;
  store: Answer = 'ok';
  engine: Answer = 'ok';
  readonly news: GuardNews[] = [];
  readonly calls: string[] = [];
  readonly within: number[] = [];
  readonly guard = new SiteGuard({
    site: 'frankfurt',
    times: TIMES,
    stack: this,
    book: {
      renew: () => this.answer(this.store, () => void this.calls.push('renew')),
      newest: () => this.answer(this.store, () => (this.calls.push('newest'), this.newest)),
    },
    clock: () => this.nowMs,
    wanted: () => this.wanted,
    tell: (what) => this.news.push(what),
  });

  look(): Promise<'up' | 'partly' | 'down'> {
    return this.answer(this.engine, () => (this.up ? (this.fallen ? 'partly' : 'up') : 'down'));
  }

  start(): Promise<void> {
    this.calls.push('start');
    return this.answer(this.engine, () => void (this.up = true));
  }

  stop(withinMs: number): Promise<void> {
    this.calls.push('stop');
    this.within.push(withinMs);
    return this.answer(this.engine, () => void (this.up = false));
  }

  /** Seconds, one look each. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      this.nowMs += 1000;
      this.guard.tick();
      await new Promise(setImmediate);
    }
  }

  private async answer<T>(how: Answer, give: () => T): Promise<T> {
    await Promise.resolve();
    if (how === 'hangs') return new Promise<T>(() => undefined);
    if (how === 'fails') throw new HoldfastError('StoreUnreachable', 'no route');
    return give();
  }
}

async function running(): Promise<Machine> {
  const machine = new Machine();
  await machine.pass(4);
  expect(machine.up).toBe(true);
  return machine;
}

describe('a guard', () => {
  it('starts the stack once it holds the lease, asks four times in a lease, and starts it again when it fell', async () => {
    const machine = await running();
    // What it does not know to be down it stops, before anything else.
    expect(machine.calls.slice(0, 4)).toEqual(['stop', 'renew', 'newest', 'start']);
    await machine.pass(40);
    const renewals = machine.calls.filter((call) => call === 'renew').length;
    expect([renewals >= 4, renewals <= 6]).toEqual([true, true]);
    machine.up = false;
    await machine.pass(4);
    expect(machine.up).toBe(true);
    const kinds = ['stopping', 'stopped', 'starting', 'holding', 'starting', 'holding'];
    expect(machine.news.map(({ kind }) => kind)).toEqual(kinds);
  });

  it('stopped on purpose: it stays down while the lease is held, and comes back when it is wanted', async () => {
    const machine = await running();
    machine.wanted = false;
    machine.up = false;
    await machine.pass(20);
    expect(machine.up).toBe(false);
    machine.wanted = true;
    await machine.pass(3);
    expect(machine.up).toBe(true);
  });

  it('handed over while it was stopped on purpose, and let go before the guard has read that: nothing is started', async () => {
    const machine = await running();
    machine.wanted = false;
    machine.up = false;
    await machine.pass(3);
    machine.newest = { n: 2, site: 'dublin', cleared: true };
    machine.wanted = true;
    expect(machine.guard.heldUntilMs).toBeGreaterThan(machine.nowMs);
    const before = machine.calls.length;
    await machine.pass(60);
    expect(machine.calls.slice(before)).not.toContain('start');
  });

  it.each(['fails', 'hangs'] as const)(
    'the store %s: the stack runs until the lease is over, and not longer',
    async (how) => {
      const machine = await running();
      machine.store = how;
      const untilMs = machine.guard.heldUntilMs ?? 0;
      await machine.pass(Math.floor((untilMs - machine.nowMs - 1) / 1000));
      expect(machine.up).toBe(true);
      await machine.pass(3);
      expect(machine.up).toBe(false);
      await machine.pass(60);
      expect(machine.up).toBe(false);
      machine.store = 'ok';
      await machine.pass(30);
      expect(machine.up).toBe(true);
    },
  );

  it.each([
    ['another site has raised a newer generation', { n: 2, site: 'ohio', cleared: false }],
    ['its own generation is not cleared', { n: 3, site: 'frankfurt', cleared: false }],
    ['the generations are gone', undefined],
  ])('%s: it stops at the next asking, and starts nothing', async (_, newest) => {
    const machine = await running();
    machine.newest = newest;
    await machine.pass(14);
    expect(machine.up).toBe(false);
    const starts = machine.calls.filter((call) => call === 'start').length;
    await machine.pass(60);
    expect(machine.calls.filter((call) => call === 'start')).toHaveLength(starts);
  });

  it('started beside a stack that runs, and nobody answers: it stops what it can not vouch for', async () => {
    const machine = new Machine();
    machine.up = true;
    machine.store = 'hangs';
    await machine.pass(3);
    expect(machine.up).toBe(false);
    expect(machine.news[0]).toMatchObject({ kind: 'stopping' });
  });

  it('the engine hangs while the lease runs out: it is told as overdue, and the stop goes through when it answers', async () => {
    const machine = await running();
    machine.store = 'fails';
    machine.engine = 'fails';
    await machine.pass(60);
    expect(machine.news.some(({ kind }) => kind === 'failing')).toBe(true);
    // Each time that it is begun again it has what is left, and in the end nothing.
    expect(machine.within.toSorted((one, other) => other - one)).toEqual(machine.within);
    expect([machine.within[1], machine.within.at(-1)]).toEqual([expect.closeTo(TIMES.stopMs, -4), 0]);
    machine.engine = 'ok';
    await machine.pass(3);
    expect(machine.up).toBe(false);

    const stuck = await running();
    stuck.store = 'fails';
    stuck.engine = 'hangs';
    await stuck.pass(60);
    expect(stuck.news.some(({ kind }) => kind === 'overdue')).toBe(true);
  });

  it('the store is silent, and a worker of this machine has read that another site is active: it stops at once', async () => {
    const machine = await running();
    machine.store = 'hangs';
    machine.guard.learn({ n: 1, site: 'frankfurt', cleared: true });
    machine.guard.learn({ n: 2, site: 'frankfurt', cleared: true });
    expect(machine.guard.tick()).toMatchObject({ kind: 'keep' });
    machine.guard.learn({ n: 2, site: 'ohio', cleared: false });
    expect(machine.guard.tick()).toMatchObject({ kind: 'stop', why: 'generation 2 belongs to the site ohio' });
  });

  it('the clock jumps a lease ahead, as after a sleep: the first thing that it does is to stop', async () => {
    const machine = await running();
    machine.nowMs += 300_000;
    expect(machine.guard.tick()).toMatchObject({ kind: 'stop' });
    await machine.pass(1);
    // Nobody waits for it any more: it is killed.
    expect(machine.within.at(-1)).toBe(0);
    expect(machine.calls.at(-1) === 'stop' || !machine.up).toBe(true);
  });
});
