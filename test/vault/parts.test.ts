import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { MAX_CHUNK_BYTES } from '../../src/part.ts';
import { Cutter, gearTable } from '../../src/vault/cut.ts';
import { IdTable, type Stored } from '../../src/vault/id-table.ts';
import { parseRecoveryKit, recoveryKit } from '../../src/vault/index.ts';
import { KnownObjects } from '../../src/vault/known-objects.ts';
import { ListTreeBuilder, type TreeRoot } from '../../src/vault/list-tree.ts';
import { chunksOf, type Placed } from '../../src/vault/lists.ts';
import { sha256Hex } from '../../src/vault/names.ts';
import { chunkId, generateAgeIdentity, generateSshKeyPair, sealBytes } from '../../src/seal/index.ts';
import { ReuseCache } from '../../src/vault/reuse-cache.ts';
import { noise } from '../support/vault.ts';

const MIB = 1024 * 1024;
const hexId = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-parts-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function cutAll(gear: Int32Array | undefined, buffers: readonly Uint8Array[]): Uint8Array[] {
  const cutter = new Cutter(gear);
  const whole = Buffer.concat(buffers);
  let at = 0;
  const lengths = [...buffers.flatMap((buffer) => [...cutter.push(buffer)]), ...cutter.finish()];
  return lengths.map((length) => whole.subarray(at, (at += length)));
}

function split(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const points = [...new Set(at.map((point) => point % bytes.length))].sort((a, b) => a - b);
  return [0, ...points].map((from, index) => bytes.subarray(from, points[index] ?? bytes.length));
}

describe('cutting streams', () => {
  const data = noise(3, 9 * MIB);
  const gear = gearTable(Buffer.alloc(32, 7));

  test.each([
    ['by content', gear],
    ['at fixed offsets', undefined],
  ])('%s: the same cuts however the stream is handed over, and nothing is lost', (_name, table) => {
    const whole = cutAll(table, [data]);
    expect(Buffer.concat(whole).equals(data)).toBe(true);
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (points) => {
        const parts = cutAll(table, split(data, points));
        expect(parts.map(sha256Hex)).toEqual(whole.map(sha256Hex));
      }),
      { numRuns: 8 },
    );
  });

  test('by content, bytes inserted at the front: all but the beginning is cut as before', () => {
    const shifted = cutAll(gear, [Buffer.concat([Buffer.from('inserted'), data])]).map(sha256Hex);
    const before = cutAll(gear, [data]).map(sha256Hex);
    expect(shifted.filter((one) => !before.includes(one)).length).toBeLessThanOrEqual(3);
    expect(before.filter((one) => shifted.includes(one)).length).toBeGreaterThanOrEqual(4);
  });

  test('by content: sizes stay within their bounds and near their average', () => {
    const sizes = cutAll(gear, [noise(4, 40 * MIB)]).map(({ length }) => length);
    for (const size of sizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(MIB / 4);
      expect(size).toBeLessThanOrEqual(MAX_CHUNK_BYTES);
    }
    expect(sizes.length).toBeGreaterThan(20);
    expect(sizes.length).toBeLessThan(80);
    expect(new Set(cutAll(gear, [new Uint8Array(9 * MIB)]).map(({ length }) => length)).size).toBeLessThan(3);
  });
});

describe('what a host remembers', () => {
  const stored = fc.record({ sizeBytes: fc.nat(1e9), sha256: fc.option(hexId, { nil: undefined }) });

  test('a table of ids does what a map does', () => {
    // Few different beginnings, so that ids collide in the table.
    const id = fc.tuple(fc.nat(3), hexId).map(([slot, hex]) => `0000000${slot}${hex.slice(8)}`);
    const step = fc.tuple(id, fc.option(stored, { nil: undefined }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.array(fc.nat(), { maxLength: 60 }), (steps, removals) => {
        const table = new IdTable();
        const map = new Map<string, Stored>();
        const apply = (hex: string, value: Stored | undefined) => {
          const bytes = Buffer.from(hex, 'hex');
          if (value === undefined) expect(table.delete(bytes)).toBe(map.delete(hex));
          else {
            table.set(bytes, value);
            map.set(hex, value);
          }
        };
        for (const [hex, value] of steps) apply(hex, value);
        for (const index of removals) if (steps.length > 0) apply(steps[index % steps.length]?.[0] ?? '', undefined);
        expect(table.size).toBe(map.size);
        for (const [hex] of steps) expect(table.find(Buffer.from(hex, 'hex'))).toEqual(map.get(hex));
      }),
      { numRuns: 60 },
    );
  });

  test('known objects: what was synced is known again, rooms are apart, what was forgotten stays so', async () => {
    const files = { directory, name: 'test' };
    const id = 'ab'.repeat(32);
    const other = 'cd'.repeat(32);
    const { known, found } = await KnownObjects.open(files);
    expect(found).toBe(false);
    await known.add('chunks', id, { sizeBytes: 7, sha256: other });
    await known.add('lists', other, { sizeBytes: 8, sha256: undefined });
    await known.settle(() => Promise.resolve());
    known.forget('lists', other);
    await known.settle(() => Promise.resolve());
    await known.close();
    const again = await KnownObjects.open(files);
    expect(again.found).toBe(true);
    expect(again.known.stored('chunks', id)).toEqual({ sizeBytes: 7, sha256: other });
    expect(again.known.has('lists', id)).toBe(false);
    expect(again.known.has('lists', other)).toBe(false);
    expect(again.known.needsSync()).toBe(false);
  });

  test('known objects after a crash: believed within one boot and synced first, not believed after another', async () => {
    const files = { directory, name: 'test' };
    const id = 'ab'.repeat(32);
    const { known } = await KnownObjects.open(files);
    await known.settle(() => Promise.resolve());
    await known.add('chunks', id, { sizeBytes: 7, sha256: undefined });
    await known.close();
    const sameBoot = await KnownObjects.open(files);
    expect(sameBoot.known.has('chunks', id)).toBe(true);
    expect(sameBoot.known.needsSync()).toBe(true);
    const pending = join(directory, 'test.pending');
    const bytes = await readFile(pending);
    await writeFile(pending, Buffer.concat([Buffer.from('another-boot'), bytes.subarray(bytes.indexOf(10))]));
    const otherBoot = await KnownObjects.open(files);
    expect(otherBoot).toMatchObject({ found: false });
    expect(otherBoot.known.has('chunks', id)).toBe(false);
  });

  test('a sync that fails: nothing is kept as durable, and the next one is asked again', async () => {
    const { known } = await KnownObjects.open({ directory, name: 'test' });
    await known.add('chunks', 'ab'.repeat(32), { sizeBytes: 7, sha256: undefined });
    await expect(known.settle(() => Promise.reject(new Error('disk full')))).rejects.toThrow('disk full');
    expect(known.needsSync()).toBe(true);
    let synced = 0;
    await known.settle(() => Promise.resolve(void (synced += 1)));
    expect(synced).toBe(1);
    await known.close();
  });

  test('the reuse cache: a complete capture keeps what it used, an unfinished one what there was as well', async () => {
    const path = join(directory, 'reuse');
    const refs = (name: string) => [{ id: sha256Hex(Buffer.from(name)), lengthBytes: name.length }];
    const first = await ReuseCache.open(path);
    for (const name of ['a', 'b']) first.remember(name, refs(name));
    await first.save(true);
    const partial = await ReuseCache.open(path);
    expect(partial.find('a')).toEqual(refs('a'));
    partial.remember('c', refs('c'));
    await partial.save(false);
    const complete = await ReuseCache.open(path);
    expect(['a', 'b', 'c'].map((name) => complete.find(name))).toEqual(['a', 'b', 'c'].map(refs));
    complete.remember('c', refs('c'));
    await complete.save(true);
    const last = await ReuseCache.open(path);
    expect(['a', 'b', 'c'].map((name) => last.find(name))).toEqual([undefined, undefined, refs('c')]);
  });
});

describe('list trees', () => {
  const { identity, recipient } = generateAgeIdentity();
  const idKey = Buffer.alloc(32, 9);
  const objects = new Map<string, Uint8Array>();

  async function build(
    chunks: readonly { id: string; lengthBytes: number }[],
  ): Promise<TreeRoot & { nodes: string[] }> {
    const nodes: string[] = [];
    const builder = new ListTreeBuilder({
      list: (bytes) => {
        const id = chunkId(idKey, bytes);
        if (!objects.has(id)) objects.set(id, sealBytes(bytes, [recipient]));
        nodes.push(id);
        return Promise.resolve(id);
      },
      sums: () => Promise.resolve(),
      stored: () => undefined,
    });
    for (const chunk of chunks) await builder.add(chunk);
    return { ...(await builder.finish()), nodes };
  }

  async function read(tree: TreeRoot, start: number, end: number): Promise<Placed[]> {
    const get = (key: string) => Promise.resolve(objects.get(key.slice('lists/ab/'.length)) ?? new Uint8Array());
    const ref = { name: 'a', mediaType: 'application/octet-stream', ...tree } as const;
    const found: Placed[] = [];
    for await (const chunk of chunksOf({ get }, { identities: [identity], idKey }, ref, { start, end }))
      found.push(chunk);
    return found;
  }

  const many = Array.from({ length: 6_000 }, (_, index) => ({
    id: sha256Hex(Buffer.from(`chunk ${index}`)),
    lengthBytes: 1 + (index % 7),
  }));

  test('any range: exactly the chunks that cover it, at their offsets', async () => {
    const tree = await build(many);
    expect(tree.depth).toBe(2);
    expect(tree.chunks).toBe(many.length);
    const offsets = many.map(
      (
        (at) =>
        ({ lengthBytes }) =>
          (at += lengthBytes) - lengthBytes
      )(0),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(tree.lengthBytes), fc.nat(tree.lengthBytes), async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const covers = (index: number) => {
          const from = offsets[index] ?? 0;
          return from < end && from + (many[index]?.lengthBytes ?? 0) > start;
        };
        const expected = many.flatMap((chunk, index) => (covers(index) ? [[chunk.id, offsets[index]]] : []));
        expect((await read(tree, start, end)).map(({ id, offset }) => [id, offset])).toEqual(expected);
      }),
      { numRuns: 12 },
    );
  });

  test('a chunk put in or taken out: almost all nodes are shared', async () => {
    const before = await build(many);
    const after = await build([...many.slice(0, 3_000), { id: 'ee'.repeat(32), lengthBytes: 5 }, ...many.slice(3_000)]);
    const fresh = after.nodes.filter((id) => !before.nodes.includes(id));
    expect(before.nodes.length).toBeGreaterThan(3);
    expect(fresh.length).toBeLessThanOrEqual(3);
  });

  test('nothing, one chunk, and very many equal chunks', async () => {
    expect(await build([])).toMatchObject({ depth: 1, lengthBytes: 0, chunks: 0 });
    const one = await build(many.slice(0, 1));
    expect(await read(one, 0, one.lengthBytes)).toHaveLength(1);
    const zeros = Array.from({ length: 20_000 }, () => ({ id: 'ab'.repeat(32), lengthBytes: 3 }));
    const tree = await build(zeros);
    expect(tree).toMatchObject({ lengthBytes: 60_000, chunks: 20_000 });
    expect(await read(tree, 0, 60_000)).toHaveLength(20_000);
  });
});

describe('the recovery kit', () => {
  const { identity } = generateAgeIdentity();
  const rootFingerprint = generateSshKeyPair('root').fingerprint;

  test.each([
    { kind: 'directory', path: '/mnt/nas/my vault' } as const,
    {
      kind: 's3',
      bucket: 'backups',
      prefix: 'm2m/',
      region: 'eu-west-1',
      endpoint: 'https://s3.example:9000',
      pathStyle: true,
    } as const,
  ])('of a $kind store: read back from its text, its JSON, and text that was mailed about', (store) => {
    const { text, json } = recoveryKit({ system: 'm2m', vaultId: 'v-1', store, identity, rootFingerprint });
    const kit = { format: 1, system: 'm2m', vaultId: 'v-1', store, identity, rootFingerprint };
    expect(parseRecoveryKit(text)).toEqual(kit);
    expect(parseRecoveryKit(json)).toEqual(kit);
    expect(parseRecoveryKit(text.replaceAll('\n', '\r\n  '))).toEqual(kit);
  });

  test('cut off or mistyped: it says what is missing and never repeats the identity', () => {
    const store = { kind: 'directory', path: '/v' } as const;
    const { text } = recoveryKit({ system: 'm2m', vaultId: 'v-1', store, identity, rootFingerprint });
    expect(() => parseRecoveryKit(text.slice(0, -60))).toThrow(/no lines between/);
    expect(() => parseRecoveryKit(text.replace(/^vaultId.*$/m, ''))).toThrow(/vaultId/);
    const broken = text.replace('AGE-SECRET-KEY-1', 'AGE-SECRET-KEX-1');
    expect(() => parseRecoveryKit(broken)).toThrow(/identity/);
    expect(() => parseRecoveryKit(broken)).not.toThrow(identity.slice(20));
  });
});
