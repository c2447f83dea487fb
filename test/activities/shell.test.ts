import { describe, expect, test } from 'vitest';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { activity } from '../../src/activities/shell.ts';
import { HoldfastError, type FailureCode } from '../../src/failures.ts';
import { eventually, quietRuntime } from '../workflows/stage.ts';

quietRuntime();
// What these tests make fail on purpose would fill the page.
process.env['HOLDFAST_LOG'] = 'silent';

async function failureOf(throws: () => unknown, options: { attempt?: number; insistent?: boolean } = {}) {
  const env = new MockActivityEnvironment({ attempt: options.attempt ?? 1 });
  const { insistent = false } = options;
  const work = activity('probe', () => Promise.reject(throws() as Error), { insistent });
  const error: unknown = await env.run(work, undefined).catch((thrown: unknown) => thrown);
  if (!(error instanceof ApplicationFailure)) throw new Error(`expected an ApplicationFailure, got ${String(error)}`);
  return error;
}

const known = (code: FailureCode, text = 'what happened', details = {}) => new HoldfastError(code, text, { details });

describe('what surrounds an activity', () => {
  test('a failure of the catalogue: its code is the type, with hint and details, final when waiting cannot help', async () => {
    const final = await failureOf(() => known('WrongIdentity', 'no recipient matches', { key: 'chunks/ab' }));
    expect(final).toMatchObject({ type: 'WrongIdentity', message: 'no recipient matches', nonRetryable: true });
    expect(final.details?.[0]).toMatchObject({ key: 'chunks/ab', hint: expect.stringContaining('identity') as string });
    expect(await failureOf(() => known('StoreUnreachable'))).toMatchObject({ nonRetryable: false });
  });

  test('a release that must happen: no failure ends its retries', async () => {
    expect(await failureOf(() => known('PermissionDenied'), { insistent: true })).toMatchObject({
      nonRetryable: false,
    });
  });

  test('a defect: Internal, tried again a few times, then final', async () => {
    const throws = (): Error => new TypeError('x is not a function');
    expect(await failureOf(throws)).toMatchObject({ type: 'Internal', nonRetryable: false });
    expect(await failureOf(throws, { attempt: 5 })).toMatchObject({ type: 'Internal', nonRetryable: true });
  });

  test('a secret in a message or in details: masked, and the original error stays out of the history', async () => {
    const secret = 'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ';
    const failure = await failureOf(() => {
      const cause = new Error(secret);
      return new HoldfastError('StoreDenied', `refused ${secret}`, {
        cause,
        details: { password: 'hunter2', said: secret },
      });
    });
    expect(failure.cause).toBeUndefined();
    expect(failure.stack).toBe('');
    expect(JSON.stringify([failure.message, failure.details])).not.toMatch(/AGE-SECRET|hunter2/);
  });

  test('progress: told at once, then the latest of it every few seconds', async () => {
    const env = new MockActivityEnvironment();
    const beats: unknown[] = [];
    env.on('heartbeat', (details: unknown) => beats.push(details));
    const done = Promise.withResolvers<undefined>();
    const work = activity('probe', async (_: undefined, run) => {
      run.report({ phase: 'capture', bytesDone: 1 });
      run.report({ phase: 'capture', bytesDone: 2 });
      await done.promise;
    });
    const running = env.run(work, undefined);
    await eventually('the second heartbeat', () => beats.length > 1 || undefined);
    done.resolve(undefined);
    await running;
    expect(beats.slice(0, 2)).toEqual([{ phase: 'probe' }, { phase: 'capture', bytesDone: 2 }]);
  });

  test('what an attempt keeps is in its last heartbeat, and the next attempt finds it', async () => {
    const env = new MockActivityEnvironment();
    const beats: unknown[] = [];
    env.on('heartbeat', (details: unknown) => beats.push(details));
    const found: unknown[] = [];
    const work = activity('probe', (_: undefined, run) => {
      found.push(run.memory?.kept);
      run.memory?.keep(['taken ops@example.net']);
      return Promise.reject(new HoldfastError('ChannelUnreachable', 'come again'));
    });
    await env.run(work, undefined).catch(() => undefined);
    const next = new MockActivityEnvironment({ attempt: 2, heartbeatDetails: beats.at(-1) });
    next.on('heartbeat', (details: unknown) => beats.push(details));
    await next.run(work, undefined).catch(() => undefined);
    expect(found).toEqual([[], ['taken ops@example.net']]);
    // Also before anything is kept anew: a crash then must not lose it.
    expect(beats[2]).toEqual({ phase: 'probe', kept: ['taken ops@example.net'] });
  });

  test('cancelled: the work sees the signal, and whatever it throws on its way out counts as cancelled', async () => {
    const env = new MockActivityEnvironment();
    const begun = Promise.withResolvers<undefined>();
    const work = activity('probe', async (_: undefined, run) => {
      begun.resolve(undefined);
      await new Promise((resolve) => run.signal.addEventListener('abort', resolve));
      throw new HoldfastError('StoreUnreachable', 'connection closed');
    });
    const running = env.run(work, undefined).catch((thrown: unknown) => thrown);
    await begun.promise;
    env.cancel('CANCELLED');
    expect(await running).toBeInstanceOf(CancelledFailure);
  });
});
