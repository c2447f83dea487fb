import { describe, expect, it } from 'vitest';
import { unlessAborted } from '../../src/stores/abandon.ts';
import { withRetries } from '../../src/stores/retry.ts';
import { askedPauseMs } from '../../src/stores/s3-errors.ts';
import { Slots } from '../../src/stores/slots.ts';

const POLICY = { attempts: 3, firstPauseMs: 1, longestPauseMs: 2, silenceMs: 60_000 };

describe('a server that asks for a pause', () => {
  it('Retry-After: the next attempt waits at least that long', async () => {
    const at: number[] = [];
    const options = { signal: undefined, extraMs: 0, worthTrying: () => true, askedPauseMs: () => 300 };
    const done = withRetries(POLICY, options, ({ number }) => {
      at.push(performance.now());
      return number < 2 ? Promise.reject(new Error('busy')) : Promise.resolve('done');
    });
    expect(await done).toBe('done');
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(295);
  });

  it.each([
    ['3', 3_000, 3_000],
    ['0', 0, 0],
    [new Date(Date.now() + 3_600_000).toUTCString(), 3_000_000, 3_600_000],
    ['Fri, 21 Dec 2012 00:00:00 GMT', 0, 0],
  ])('the header %j: is read', (header, least, most) => {
    const asked = askedPauseMs({ $response: { headers: { 'retry-after': header } } });
    expect(asked).toBeGreaterThanOrEqual(least);
    expect(asked).toBeLessThanOrEqual(most);
  });

  it.each([{}, { $response: {} }, { $response: { headers: { 'retry-after': 'soon' } } }])(
    '%j: says nothing',
    (cause) => {
      expect(askedPauseMs(cause)).toBeUndefined();
    },
  );
});

describe('a store beside others', () => {
  it('silent: no attempt begins after its time; one that answers badly at once is tried as often as any', async () => {
    const options = { signal: undefined, extraMs: 0, worthTrying: () => true };
    const brief = { ...POLICY, attempts: 50, silenceMs: 40, withinMs: 60 };
    let silent = 0;
    const never = withRetries(brief, options, ({ signal }) => {
      silent += 1;
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    });
    await expect(never).rejects.toThrow('no answer for');
    expect(silent).toBeLessThan(4);
    let bad = 0;
    const refusing = withRetries({ ...brief, attempts: 5, withinMs: 60_000 }, options, () => {
      bad += 1;
      return Promise.reject(new Error('busy'));
    });
    await expect(refusing).rejects.toThrow('busy');
    expect(bad).toBe(5);
  });
});

describe('a client that cannot abort', () => {
  it("aborted before it is waited for: left at once, and its failure is nobody's", async () => {
    const failing = Promise.reject(new Error('too late'));
    await expect(unlessAborted(AbortSignal.abort(new Error('given up')), failing)).rejects.toThrow('given up');
  });
});

describe('requests at once', () => {
  it('more than there are places: wait, in order, and never more than that run', async () => {
    const slots = new Slots(2);
    const started: number[] = [];
    let running = 0;
    let most = 0;
    await Promise.all(
      [0, 1, 2, 3, 4, 5].map((index) =>
        slots.with(undefined, async () => {
          started.push(index);
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(started).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('an abort while waiting: rejects with its reason, and takes no place from others', async () => {
    const slots = new Slots(1);
    const held = Promise.withResolvers<undefined>();
    const first = slots.with(undefined, () => held.promise);
    const abort = new AbortController();
    const reason = new Error('operator pressed stop');
    const second = slots.with(abort.signal, () => Promise.resolve('never'));
    const third = slots.with(undefined, () => Promise.resolve('served'));
    abort.abort(reason);
    await expect(second).rejects.toBe(reason);
    held.resolve(undefined);
    await first;
    expect(await third).toBe('served');
  });
});
