import { expect, test } from 'vitest';

import { isWorthRoom, Rooms } from '../../src/vault/copy/rooms.ts';

const KIB = 1024;

test('rooms: one that was used serves the next object of about its size, and never two at once', async () => {
  const rooms = new Rooms(1024 * KIB);
  const first = await rooms.with(400 * KIB, (room) => Promise.resolve(room));
  expect(first.length).toBeGreaterThanOrEqual(400 * KIB);
  await rooms.with(390 * KIB, async (room) => {
    expect(room).toBe(first);
    await rooms.with(390 * KIB, (other) => {
      expect(other).not.toBe(first);
      return Promise.resolve();
    });
  });
  // Too small an object would hold a large room for nothing.
  expect(await rooms.with(20 * KIB, (room) => Promise.resolve(room.length))).toBeLessThan(100 * KIB);
});

test('rooms: what failed gives its room back, and no more is kept than was allowed', async () => {
  const rooms = new Rooms(512 * KIB);
  const used: Buffer[] = [];
  const failing = rooms.with(300 * KIB, (room) => {
    used.push(room);
    return Promise.reject(new Error('the store is away'));
  });
  await expect(failing).rejects.toThrow('away');
  expect(await rooms.with(300 * KIB, (room) => Promise.resolve(room))).toBe(used[0]);
  await rooms.with(300 * KIB, () => rooms.with(300 * KIB, (room) => Promise.resolve(void used.push(room))));
  // Two of them are more than is kept: the one that was given back first is gone.
  expect(await rooms.with(300 * KIB, (room) => Promise.resolve(room))).toBe(used[0]);
  expect(await rooms.with(300 * KIB, (room) => Promise.resolve(room))).not.toBe(used[1]);
});

test('rooms: neither a record nor a giant is worth one', () => {
  expect([2 * KIB, 400 * KIB, 1024 * KIB, 64 * 1024 * KIB].map(isWorthRoom)).toEqual([false, true, true, false]);
});
