import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { TokenBucket } from '../../src/stores/token-bucket.ts';
import { conformance } from './conformance.ts';

const MIB = 1024 * 1024;
let root: string;

function open(path: string, bandwidthBytesPerSecond: number): Promise<Store> {
  const config = { name: 'disk', kind: 'directory', path, mustBeMounted: false, bandwidthBytesPerSecond } as const;
  return openStore(config, () => Promise.reject(new Error('none')));
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-limited-'));
});

afterAll(() => rm(root, { recursive: true, force: true }));

conformance('a store with a limit of bandwidth', () => open(join(root, 'suite'), 512 * MIB));

describe('a limit of bandwidth', () => {
  it('what is put and got through two handles: takes together as long as the limit says', async () => {
    const rate = 4 * MIB;
    const [one, two] = [await open(join(root, 'rate'), rate), await open(join(root, 'rate'), rate)];
    const bytes = Buffer.alloc(MIB / 4, 1);
    const began = performance.now();
    const keys = Array.from({ length: 6 }, (_, index) => `chunks/aa/${index}`);
    await Promise.all(keys.map((key, index) => (index % 2 ? one : two).put(key, bytes, { createOnly: true })));
    await Promise.all(keys.map((key, index) => (index % 2 ? two : one).get(key)));
    // What was read last may still be owed, and a tenth of a second is free.
    const wholeMs = ((12 * bytes.length) / rate) * 1000;
    expect(performance.now() - began).toBeGreaterThanOrEqual(wholeMs / 2);
    await Promise.all([one.close(), two.close()]);
  });

  it('a directory: hands out no path by which bytes would pass uncounted', async () => {
    const store = await open(join(root, 'paths'), MIB);
    expect('handOut' in store).toBe(false);
    expect('localPath' in store).toBe(false);
    await store.close();
  });

  it('an abort while waiting: rejects with its reason at once, and what comes after is served', async () => {
    const bucket = new TokenBucket(1000);
    await bucket.take(100_000);
    const abort = new AbortController();
    const reason = new Error('operator pressed stop');
    const waiting = bucket.take(1, abort.signal);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(bucket.take(1, abort.signal)).rejects.toBe(reason);
    bucket.settle(-100_000);
    await bucket.take(1);
  });

  it('those who wait: are served in the order they came, a large one not after the small ones', async () => {
    const bucket = new TokenBucket(10_000_000);
    await bucket.take(2_000_000);
    const served: number[] = [];
    const sizes = [500_000, 1, 1, 300_000, 1];
    await Promise.all(sizes.map((size, index) => bucket.take(size).then(() => served.push(index))));
    expect(served).toEqual([0, 1, 2, 3, 4]);
  });

  it('a read that fails: costs nothing', async () => {
    const store = await open(join(root, 'failing'), 200_000);
    for (let round = 0; round < 20; round += 1) {
      await expect(store.get('chunks/none')).rejects.toMatchObject({ code: 'ObjectMissing' });
    }
    await store.close();
  });
});
