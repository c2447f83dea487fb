/** Questions that nobody answers: told in time, and not asked again while one is open. */
import { expect, test } from 'vitest';
import { answeredInTime } from '../../src/status/asked-once.ts';

test('a store that hangs: it is said in time, not asked again meanwhile, and asked again when it has answered', async () => {
  const mount = Promise.withResolvers<string>();
  let asked = 0;
  const ask = (): Promise<string> => {
    asked += 1;
    return mount.promise;
  };
  await expect(answeredInTime('store nas', 5, ask)).rejects.toMatchObject({ code: 'HostBusy' });
  await expect(answeredInTime('store nas', 5, ask)).rejects.toThrow(/has not answered since/);
  expect(asked).toBe(1);
  expect(await answeredInTime('store other', 60_000, () => Promise.resolve('here'))).toBe('here');

  mount.resolve('back');
  await mount.promise;
  await expect.poll(() => answeredInTime('store nas', 60_000, ask)).toBe('back');
});

test('what answers in time keeps nobody else from asking, and its own failure is its answer', async () => {
  const broken = (): Promise<never> => Promise.reject(new Error('no such bucket'));
  await expect(answeredInTime('store cloud', 60_000, broken)).rejects.toThrow('no such bucket');
  await expect(answeredInTime('store cloud', 60_000, broken)).rejects.toThrow('no such bucket');
});
