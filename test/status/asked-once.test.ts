/** Questions that nobody answers: told in time, and not asked again while one is open. */
import { expect, test } from 'vitest';
import { answeredInTime, askedOnce } from '../../src/status/asked-once.ts';

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

test('two who ask the same at once: it is asked once, and both are told', async () => {
  const disk = Promise.withResolvers<string>();
  let asked = 0;
  const ask = (): Promise<string> => {
    asked += 1;
    return disk.promise;
  };
  const both = [askedOnce('/srv', 60_000, ask), askedOnce('/srv', 60_000, ask)];
  disk.resolve('full');
  expect(await Promise.all(both)).toEqual(['full', 'full']);
  expect(asked).toBe(1);
});

test('a mount that hangs: who asks after the first was told is told at once, until it has answered', async () => {
  const mount = Promise.withResolvers<string>();
  const ask = (): Promise<string> => mount.promise;
  await expect(askedOnce('/mnt', 5, ask)).rejects.toThrow(/did not answer in/);
  await expect(askedOnce('/mnt', 60_000, ask)).rejects.toThrow(/has not answered since/);
  mount.resolve('back');
  await expect.poll(() => askedOnce('/mnt', 60_000, ask).catch(() => undefined)).toBe('back');
});
