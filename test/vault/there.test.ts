/** What a target holds already, learned by a listing where one request lists a thousand, and by questions for the rest. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Store } from '../../src/stores/store.ts';
import { ObjectsThere } from '../../src/vault/copy/there.ts';
import { objectKey } from '../../src/vault/names.ts';
import { openDirectory } from '../support/vault.ts';

const { signal } = new AbortController();
const UNKNOWN = 110;
/** More than are listed for so many. */
const OTHERS = 1300;
const expected = { sizeBytes: 3, sha256: null } as const;

let directory: string;
let full: Store;
let small: Store;

const chunk = (n: number): string => objectKey('chunks', createHash('sha256').update(String(n)).digest('hex'));
const sums = (n: number): string => objectKey('sums', createHash('sha256').update(`sums ${n}`).digest('hex'));
const WANTED = [...Array.from({ length: UNKNOWN - 1 }, (_, n) => chunk(n)), sums(0)];
/** Every other one is there, one of them of another length. */
const LACKS = WANTED.filter((_, at) => at % 2 === 1 || at === 4).sort();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-there-'));
  [full, small] = [await openDirectory(join(directory, 'full')), await openDirectory(join(directory, 'small'))];
  for (const [at, key] of WANTED.entries()) {
    if (at % 2 === 1) continue;
    const bytes = Buffer.from(at === 4 ? 'another' : 'abc');
    for (const store of [full, small]) await store.put(key, bytes, { createOnly: true });
  }
  for (let n = 0; n < OTHERS; n += 1) await full.put(chunk(UNKNOWN + n), Buffer.from('abc'), { createOnly: true });
});

afterAll(async () => {
  await Promise.all([full.close(), small.close()]);
  await rm(directory, { recursive: true, force: true });
});

/** The same store as one that lists a thousand by one request, with what it was asked. */
function counted(store: Store, kind: Store['kind']): { store: Store; asked: { heads: number; listed: number } } {
  const asked = { heads: 0, listed: 0 };
  const list = async function* (prefix: string) {
    for await (const info of store.list(prefix)) {
      asked.listed += 1;
      yield info;
    }
  };
  const head = (key: string) => {
    asked.heads += 1;
    return store.head(key);
  };
  const rest = { put: store.put.bind(store), get: store.get.bind(store), delete: store.delete.bind(store) };
  const ends = { sync: () => store.sync(), close: () => store.close() };
  return { store: { label: store.label, kind, ...rest, ...ends, head, list }, asked };
}

const named = () => new Map(WANTED.map((key) => [key, expected]));
const keysOf = (lacking: readonly { key: string }[]): string[] => lacking.map(({ key }) => key).sort();

test('a bucket with little in it: a listing tells everything, and nothing is asked for by itself', async () => {
  const { store, asked } = counted(small, 's3');
  const there = new ObjectsThere(store, signal);
  expect(keysOf(await there.lacking(named()))).toEqual(LACKS);
  expect(asked).toEqual({ heads: 0, listed: UNKNOWN / 2 });
  // Known from here on, also that the others are not there.
  expect(keysOf(await there.lacking(named()))).toEqual(LACKS);
  expect(asked.listed).toBe(UNKNOWN / 2);
});

test('a bucket with much more in it: the listing ends where it is not worth it, and only the rest is asked for', async () => {
  const { store, asked } = counted(full, 's3');
  expect(keysOf(await new ObjectsThere(store, signal).lacking(named()))).toEqual(LACKS);
  expect(asked.listed).toBe(UNKNOWN * 10);
  expect(asked.heads).toBeGreaterThan(0);
  expect(asked.heads).toBeLessThan(UNKNOWN / 2);
});

test('a directory: every object is asked for, because a listing looks at each as well', async () => {
  const { store, asked } = counted(full, 'directory');
  expect(keysOf(await new ObjectsThere(store, signal).lacking(named()))).toEqual(LACKS);
  expect(asked).toEqual({ heads: UNKNOWN, listed: 0 });
});
