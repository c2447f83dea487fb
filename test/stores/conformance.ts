/** What every store must do, whatever it is made of. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeStore } from '../../src/stores/index.ts';
import type { ObjectInfo, Store } from '../../src/stores/index.ts';

const FRESH = { createOnly: true } as const;
const REPLACE = { createOnly: false } as const;

/** Runs the suite; `open` gives another handle on the same empty store each time. */
export function conformance(name: string, open: () => Promise<Store>): void {
  describe(`${name}: what every store must do`, () => {
    let store: Store;
    let other: Store;

    beforeAll(async () => {
      store = await open();
      other = await open();
    });

    afterAll(async () => {
      await store.close();
      await other.close();
    });

    it.each([
      ['empty', 0],
      ['small', 300],
      ['of five MiB', 5 * 1024 * 1024],
    ])('an object that is %s: comes back as it was written, through another handle as well', async (_, length) => {
      const bytes = randomBytes(length);
      const key = `objects/of-${length}`;
      expect(await store.put(key, bytes, { ...FRESH, sha256: sha256(bytes) })).toBe('written');
      expect(sha256(await store.get(key))).toBe(sha256(bytes));
      expect(sha256(await other.get(key))).toBe(sha256(bytes));
      const info = await other.head(key);
      expect(info).toMatchObject({ key, sizeBytes: length });
      expect(Math.abs((info?.modifiedAtMs ?? 0) - Date.now())).toBeLessThan(3_600_000);
      const stored = store.storedSha256 === undefined ? undefined : await store.storedSha256(key);
      expect([undefined, sha256(bytes)]).toContain(stored);
    });

    it('a received object: belongs to the receiver, who may give its buffer away', async () => {
      await store.put('owned', Buffer.from('bytes'), FRESH);
      const got = await store.get('owned');
      expect(got.byteLength).toBe(got.buffer.byteLength);
    });

    it('a create-only write on a taken key: says so and leaves what was there; a plain write replaces it', async () => {
      expect(await store.put('taken', Buffer.from('first'), FRESH)).toBe('written');
      expect(await store.put('taken', Buffer.from('second'), FRESH)).toBe('exists');
      expect(text(await store.get('taken'))).toBe('first');
      expect(await store.put('taken', Buffer.from('third'), REPLACE)).toBe('written');
      expect(text(await store.get('taken'))).toBe('third');
    });

    it('racing create-only writers through two handles: exactly one wins, and its bytes stay', async () => {
      for (let round = 0; round < 3; round += 1) {
        const writers = Array.from({ length: 8 }, (_, index) => `writer ${index}`);
        const outcomes = await Promise.all(
          writers.map((bytes, index) => (index % 2 ? store : other).put(`race/${round}`, Buffer.from(bytes), FRESH)),
        );
        const winners = writers.filter((_, index) => outcomes[index] === 'written');
        expect(winners).toEqual([text(await store.get(`race/${round}`))]);
      }
    });

    it('an object that is not there: get says so by code, head has nothing, delete succeeds', async () => {
      await expect(store.get('nothing/here')).rejects.toMatchObject({ code: 'ObjectMissing' });
      expect(await store.head('nothing/here')).toBeUndefined();
      await store.delete('nothing/here');
      expect(await keys(store, 'nothing')).toEqual([]);
    });

    it('a deleted object: is gone for every handle, and its key is free again', async () => {
      await store.put('gone', Buffer.from('x'), FRESH);
      await other.delete('gone');
      expect(await store.head('gone')).toBeUndefined();
      expect(await store.put('gone', Buffer.from('y'), FRESH)).toBe('written');
    });

    it('a listing: in byte order, by any prefix, from after any key, as a sorted array would give it', async () => {
      const names = [
        'a',
        'a-b',
        'a.b',
        'a:b',
        'a0',
        'aB/c',
        'ab/c',
        'ab-c/d',
        'ab.c/d/e',
        'ab/cd',
        'ab0',
        'b/a/a',
        'b/a-a',
      ];
      const all = names.map((name) => `list/${name}`).sort();
      await Promise.all(all.map((key) => store.put(key, Buffer.from(key), FRESH)));
      for (const prefix of ['list/', 'list/a', 'list/ab', 'list/ab/', 'list/ab/c', 'list/b/a', 'list/zz', 'li']) {
        expect(await keys(other, prefix)).toEqual(all.filter((key) => key.startsWith(prefix)));
      }
      for (const startAfter of [...all, 'list/ab', 'list/ab/', 'list/a-', 'zz']) {
        expect(await keys(other, 'list/', startAfter)).toEqual(all.filter((key) => key > startAfter));
      }
      expect((await infos(other, 'list/'))[0]).toMatchObject({ key: 'list/a', sizeBytes: 'list/a'.length });
    });

    it.each([
      '',
      '/etc/passwd',
      'a/../../b',
      '..',
      'a//b',
      'a/',
      './a',
      'a\\b',
      'a b',
      'ü',
      '.tmp/a',
      'x'.repeat(2000),
    ])('the key %j: is refused by every method before anything is touched', async (key) => {
      const refused = { code: 'BadInput' };
      await expect(store.put(key, Buffer.from('x'), REPLACE)).rejects.toMatchObject(refused);
      await expect(store.get(key)).rejects.toMatchObject(refused);
      await expect(store.head(key)).rejects.toMatchObject(refused);
      await expect(store.delete(key)).rejects.toMatchObject(refused);
    });

    it('a prefix that climbs out: is refused', async () => {
      await expect(keys(store, '../')).rejects.toMatchObject({ code: 'BadInput' });
    });

    it('a call with an aborted signal: rejects with the reason of the abort, and writes nothing', async () => {
      const reason = new Error('operator pressed stop');
      const signal = AbortSignal.abort(reason);
      await store.put('kept', Buffer.from('x'), FRESH);
      await expect(store.put('aborted', Buffer.from('x'), { ...FRESH, signal })).rejects.toBe(reason);
      await expect(store.get('kept', { signal })).rejects.toBe(reason);
      await expect(async () => {
        for await (const info of store.list('kept', { signal })) expect(info).toBeUndefined();
      }).rejects.toBe(reason);
      expect(await store.head('aborted')).toBeUndefined();
    });

    it('a sync: succeeds with and without anything to do', async () => {
      await store.put('synced', Buffer.from('x'), REPLACE);
      await store.sync();
      await store.sync();
      expect(text(await other.get('synced'))).toBe('x');
    });

    it('a probe: finds everything a vault needs, and leaves nothing behind', async () => {
      const before = await keys(store, '');
      const facts = await probeStore(store);
      expect(facts).toMatchObject({ createOnly: true, listsAfterWriting: true, mayDelete: true, mayRead: true });
      expect(facts.keepsSha256).toBe(store.storedSha256 !== undefined);
      expect(await keys(store, '')).toEqual(before);
    });
  });
}

export async function infos(store: Store, prefix: string, startAfter?: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of store.list(prefix, startAfter === undefined ? {} : { startAfter })) found.push(info);
  return found;
}

export async function keys(store: Store, prefix: string, startAfter?: string): Promise<string[]> {
  return (await infos(store, prefix, startAfter)).map((info) => info.key);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
