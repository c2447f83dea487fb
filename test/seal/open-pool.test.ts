import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ageSeal, chunkId, createOpenPool, generateAgeIdentity, sealBytes } from '../../src/seal/index.ts';
import type { OpenPool } from '../../src/seal/index.ts';

const keys = generateAgeIdentity();
const chunkIdKey = randomBytes(32);
let base: string;
let pool: OpenPool;
let keyless: OpenPool;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-open-'));
  pool = createOpenPool({ identities: [generateAgeIdentity().identity, keys.identity], chunkIdKey, threads: 2 });
  keyless = createOpenPool({ identities: [keys.identity], threads: 1 });
});

afterAll(async () => {
  await pool.close();
  await keyless.close();
  await rm(base, { recursive: true, force: true });
});

function chunk(plain: Uint8Array) {
  const expected = { id: chunkId(chunkIdKey, plain), lengthBytes: plain.length };
  return { plain: Buffer.from(plain), sealed: sealBytes(plain, [keys.recipient]), expected };
}

describe('an open pool', () => {
  it('chunks of every length, from memory and from files: come back in buffers of their own', async () => {
    for (const length of [1, 100, 65_536, 300_000, 4 * 1024 * 1024]) {
      const { plain, sealed, expected } = chunk(
        length === 300_000 ? randomBytes(length) : Buffer.alloc(length, 'ledger '),
      );
      const path = join(base, String(length));
      await writeFile(path, sealed);
      const [fromFile, fromMemory] = await Promise.all([pool.open({ path }, expected), pool.open(sealed, expected)]);
      expect(plain.equals(fromFile)).toBe(true);
      expect(plain.equals(fromMemory)).toBe(true);
    }
  });

  it('hundreds of chunks at once: each call gets its own', async () => {
    const chunks = Array.from({ length: 200 }, (_, index) => chunk(Buffer.alloc(10 + index * 31, `chunk ${index} `)));
    const opened = await Promise.all(
      chunks.map(async ({ sealed, expected }) => {
        await pool.ready();
        return pool.open(sealed, expected);
      }),
    );
    for (const [index, bytes] of opened.entries()) expect(chunks[index]?.plain.equals(bytes)).toBe(true);
  });

  it('sealed bytes that share their buffer with others: leave the others usable', async () => {
    const { plain, sealed, expected } = chunk(Buffer.from('small'));
    const shared = Buffer.concat([Buffer.from('before'), sealed, Buffer.from('after')]);
    const opened = await pool.open(shared.subarray(6, 6 + sealed.length), expected);
    expect(plain.equals(opened)).toBe(true);
    expect(shared.subarray(0, 6).toString()).toBe('before');
  });

  it('a chunk put under the name of another one: is refused where the key is there to tell', async () => {
    const [one, two] = [chunk(Buffer.from('balance 100')), chunk(Buffer.from('balance 999'))];
    await expect(pool.open(two.sealed, one.expected)).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    const again = chunk(Buffer.from('balance 999'));
    expect(Buffer.from(await keyless.open(again.sealed, one.expected)).toString()).toBe('balance 999');
  });

  it.each([5, 6, 8, 1_000_000])('a chunk that should have %i bytes and has 7: is refused', async (lengthBytes) => {
    const { sealed, expected } = chunk(Buffer.from('7 bytes'));
    await expect(keyless.open(sealed, { ...expected, lengthBytes })).rejects.toMatchObject({ code: 'ObjectCorrupt' });
  });

  it('a decompression bomb: is refused, and the thread lives on', async () => {
    const bomb = ageSeal(zstdCompressSync(Buffer.alloc(64 * 1024 * 1024)), [keys.recipient]);
    await expect(keyless.open(bomb, { id: 'x', lengthBytes: 1_000 })).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    const { plain, sealed, expected } = chunk(Buffer.from('next'));
    expect(plain.equals(await keyless.open(sealed, expected))).toBe(true);
  });

  it('a flipped bit, a cut, another identity: each has its code, and the message names the chunk', async () => {
    const { sealed, expected } = chunk(Buffer.from('something'));
    const flipped = Uint8Array.from(sealed);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    const failed = pool.open(flipped, expected);
    await expect(failed).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    await expect(failed).rejects.toThrow(expected.id);
    await expect(pool.open(sealed.slice(0, -10), expected)).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    await expect(pool.open(new Uint8Array(0), expected)).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    const foreign = sealBytes(Buffer.from('something'), [generateAgeIdentity().recipient]);
    await expect(pool.open(foreign, expected)).rejects.toMatchObject({ code: 'WrongIdentity' });
  });

  it('a file that is missing, or far too large for its chunk: ObjectMissing, ObjectCorrupt', async () => {
    const { expected } = chunk(Buffer.from('x'));
    await expect(pool.open({ path: join(base, 'none') }, expected)).rejects.toMatchObject({ code: 'ObjectMissing' });
    await writeFile(join(base, 'huge'), Buffer.alloc(2 * 1024 * 1024));
    await expect(pool.open({ path: join(base, 'huge') }, expected)).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    await expect(pool.open({ path: base }, expected)).rejects.toMatchObject({ name: 'HoldfastError' });
  });

  it('an identity that is none: is refused before a thread starts', () => {
    expect(() => createOpenPool({ identities: ['AGE-SECRET-KEY-1NONSENSE'] })).toThrow(
      expect.objectContaining({ code: 'BadInput' }) as Error,
    );
  });
});
