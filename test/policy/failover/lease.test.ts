/** The lease by which a site is active: the rules by themselves, and played by two sites with everything that goes wrong. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  fencedFromMs,
  nextGuardAction,
  nextRenewalAtMs,
  rememberRenewals,
  stopWithinMs,
  type GuardView,
} from '../../../src/policy/failover/lease.ts';
import { BROKEN, play, type Broken } from './lease-model.ts';

const run = promisify(execFile);
const TIMES = { leaseMs: 60_000, stopMs: 20_000 };

const holding: GuardView = {
  nowMs: 100_000,
  site: 'frankfurt',
  times: TIMES,
  renewed: { askedAtMs: 90_000, newest: { n: 3, site: 'frankfurt', cleared: true } },
  stack: 'up',
  wanted: true,
};

describe('a guard', () => {
  it('holds the lease: the stack runs, is started when it is down, and stays down when somebody stopped it', () => {
    expect(nextGuardAction(holding)).toEqual({ kind: 'keep' });
    expect(nextGuardAction({ ...holding, stack: 'down' })).toEqual({ kind: 'start', generation: 3 });
    expect(nextGuardAction({ ...holding, stack: 'down', wanted: false })).toEqual({ kind: 'keep' });
    // Started by another, or by an earlier process: whether it runs is looked at, not guessed.
    expect(nextGuardAction({ ...holding, stack: 'unknown' })).toEqual({ kind: 'keep' });
  });

  it.each([
    ['the lease ran out', { nowMs: 150_000 }, 'the lease ran out 0 s ago'],
    ['nothing was answered since it started', { renewed: undefined }, 'has not answered since this guard started'],
    [
      'another site has a newer generation',
      { renewed: { askedAtMs: 99_000, newest: { n: 4, site: 'ohio', cleared: false } } },
      'generation 4 belongs to the site ohio',
    ],
    [
      'its own generation is not cleared',
      { renewed: { askedAtMs: 99_000, newest: { n: 5, site: 'frankfurt', cleared: false } } },
      'generation 5 is not cleared',
    ],
    ['there is no generation', { renewed: { askedAtMs: 99_000, newest: undefined } }, 'holds no generation'],
  ])('%s: the stack is stopped, also when nobody knows whether it runs', (_, change, why) => {
    for (const stack of ['up', 'unknown'] as const) {
      const action = nextGuardAction({ ...holding, ...change, stack });
      expect(action).toMatchObject({ kind: 'stop', why: expect.stringContaining(why) as string });
    }
    expect(nextGuardAction({ ...holding, ...change, stack: 'down' })).toEqual({ kind: 'keep' });
  });

  it('asks four times in a lease, and sooner after an answer that failed to come', () => {
    expect(nextRenewalAtMs({ askedAtMs: 1000, nowMs: 1200, answered: true }, TIMES)).toBe(16_000);
    expect(nextRenewalAtMs({ askedAtMs: 1000, nowMs: 9000, answered: false }, TIMES)).toBe(12_000);
  });
});

describe('the time to stop', () => {
  it('counts from the end of the last lease: a stop that is begun again has what is left, and then kills', () => {
    expect(stopWithinMs(undefined, 5000, TIMES)).toBe(20_000);
    // Refused while the lease would have gone on.
    expect(stopWithinMs(50_000, 40_000, TIMES)).toBe(20_000);
    expect(stopWithinMs(50_000, 62_000, TIMES)).toBe(8000);
    expect(stopWithinMs(50_000, 71_000, TIMES)).toBe(0);
  });
});

describe('another site', () => {
  it('waits from when it first saw the last renewal, by the times that were written there, and a tenth', () => {
    const slower = { leaseMs: 120_000, stopMs: 30_000 };
    const first = rememberRenewals([], [{ host: 'a', mark: '1', times: TIMES }], 1000);
    const second = rememberRenewals(
      first,
      [
        { host: 'a', mark: '1', times: TIMES },
        { host: 'b', mark: '7', times: slower },
      ],
      5000,
    );
    expect(fencedFromMs(first)).toBe(1000 + 88_000);
    expect(fencedFromMs(second)).toBe(5000 + 165_000);
    // Renewed, and gone: neither is older than it was.
    expect(fencedFromMs(rememberRenewals(second, [{ host: 'a', mark: '2', times: TIMES }], 200_000))).toBe(288_000);
    expect(fencedFromMs(rememberRenewals(second, [], 200_000))).toBe(170_000);
    expect(fencedFromMs([])).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('two sites, with everything that goes wrong between them', () => {
  it('five hundred schedules: never both active, and at the end the one that asked last', async () => {
    const model = path.resolve(import.meta.dirname, '../../../scripts/lease-model.ts');
    // In a process of its own, where modules are what they are: many times faster than inside the test runner.
    const { stdout } = await run(process.execPath, [model, '--schedules', '500']);
    const found = JSON.parse(stdout) as Record<string, number>;
    expect(found).toMatchObject({ schedules: 500, bothActive: 0, wrongAtTheEnd: 0 });
    for (const what of ['takeovers', 'starts', 'stops']) expect(found[what], what).toBeGreaterThan(500);
  });

  // The first seeds that show it: what a model can't find is not checked by it.
  const SHOWN_BY: Readonly<Record<Broken, number>> = {
    'generation read before the renewal is written': 23_423,
    'no waiting': 1,
    'no reading after the raise': 1,
    'no allowance for clocks': 8487,
    'lease counted from the answer': 440,
    'started before it is cleared': 1,
    'a machine that sleeps keeps its stack': 4,
    'a stop that is begun again has its whole time': 400_058_245,
  };

  it.each(BROKEN)('%s: both become active, and the model finds it', (broken) => {
    expect(play({ seed: SHOWN_BY[broken], broken }).violation).toContain('both sites run');
    expect(play({ seed: SHOWN_BY[broken] }).violation).toBeUndefined();
  });
});
