import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import { openStore, probeStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { keys, sha256 } from './conformance.ts';

let root: string;
let good: Store;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-probe-'));
  const config = { name: 'disk', kind: 'directory', path: root, mustBeMounted: false } as const;
  good = await openStore(config, () => Promise.reject(new Error('none')));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

/** The good store, but for what is named: how servers differ that accept a request and then do something else. */
function like(differences: Partial<Store>): Store {
  return {
    label: good.label,
    kind: good.kind,
    put: (key, bytes, options) => good.put(key, bytes, options),
    get: (key, options) => good.get(key, options),
    head: (key) => good.head(key),
    list: (prefix, options) => good.list(prefix, options),
    delete: (key) => good.delete(key),
    sync: () => good.sync(),
    close: () => good.close(),
    ...differences,
  };
}

const denied = () => Promise.reject(new HoldfastError('StoreDenied', 'not with these credentials'));

describe('a probe of a store that is not what it says', () => {
  it('create-only is accepted and ignored: unfit, and the reason names the race', async () => {
    const store = like({ put: (key, bytes, options) => good.put(key, bytes, { ...options, createOnly: false }) });
    await expect(probeStore(store)).rejects.toMatchObject({ code: 'StoreUnfit' });
    await expect(probeStore(store)).rejects.toThrow('4 were told that they won');
    expect(await keys(good, '')).toEqual([]);
  });

  it('a race without a winner: unfit', async () => {
    const store = like({ put: () => Promise.resolve('exists') });
    await expect(probeStore(store)).rejects.toThrow('0 were told that they won');
  });

  it('the loser’s bytes are the ones kept: unfit', async () => {
    const store = like({ get: () => Promise.resolve(Buffer.from('somebody else')) });
    await expect(probeStore(store)).rejects.toThrow('not the one whose bytes are there');
  });

  it('a listing that lags behind the writes: unfit', async () => {
    const store = like({
      list: async function* () {
        yield* [];
        await Promise.resolve();
      },
    });
    await expect(probeStore(store)).rejects.toThrow('not listed');
  });

  it('a listing in another order: unfit', async () => {
    const store = like({
      list: async function* (prefix, options) {
        const found = [];
        for await (const info of good.list(prefix, options)) found.unshift(info);
        yield* found;
      },
    });
    await expect(probeStore(store)).rejects.toThrow('byte order');
  });

  it('a stored checksum of something else: unfit', async () => {
    const store = like({ storedSha256: () => Promise.resolve(sha256(Buffer.from('something else'))) });
    await expect(probeStore(store)).rejects.toThrow('checksum');
  });

  it('a lock that is accepted and not held: unfit', async () => {
    const locks = { get: () => Promise.resolve(undefined), extend: () => Promise.resolve() };
    await expect(probeStore(like({ locks }))).rejects.toThrow('lets the object be deleted all the same');
    expect(await keys(good, '')).toEqual([]);
  });

  it('a lock that these credentials may not set: fit, and what was not tried is said', async () => {
    const facts = await probeStore(like({ locks: { get: denied, extend: denied } }));
    expect(facts).toMatchObject({ locks: 'untried', versions: 'none', cold: false });
    expect(facts.notes).toHaveLength(2);
  });

  it('credentials that may only write and list: fit, and the facts say what cannot be done', async () => {
    const facts = await probeStore(like({ get: denied, delete: denied, storedSha256: denied }));
    expect(facts).toMatchObject({ createOnly: true, mayRead: false, mayDelete: false, keepsSha256: false });
    expect(facts.notes).toHaveLength(3);
  });

  it('a store that cannot be reached: its own error, not a verdict', async () => {
    const gone = new HoldfastError('StoreUnreachable', 'no route');
    await expect(probeStore(like({ put: () => Promise.reject(gone) }))).rejects.toBe(gone);
  });
});
