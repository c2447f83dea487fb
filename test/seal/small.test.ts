import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ageSeal, chunkId, generateAgeIdentity, openBytes, sealBytes } from '../../src/seal/index.ts';
import { pipe } from './programs.ts';

const keys = generateAgeIdentity();
let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-small-'));
  await writeFile(join(base, 'identity.txt'), keys.identity);
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

function refused(sealed: Uint8Array, maxBytes?: number): unknown {
  try {
    return openBytes(sealed, [keys.identity], maxBytes);
  } catch (cause) {
    return cause;
  }
}

describe('small sealed objects', () => {
  it.each([0, 1, 5_000, 300_000])('%i bytes: come back, here and by age and zstd in a shell', async (length) => {
    const plain = Buffer.alloc(length, 'a list of chunks ');
    const sealed = sealBytes(plain, [keys.recipient]);
    expect(Buffer.from(openBytes(sealed, [keys.identity])).equals(plain)).toBe(true);
    const packed = await pipe('age', ['-d', '-i', join(base, 'identity.txt')], sealed);
    expect((await pipe('zstd', ['-dc'], packed)).equals(plain)).toBe(true);
  });

  it('an object sealed by age and zstd in a shell: is opened', async () => {
    const plain = randomBytes(10_000);
    const sealed = await pipe('age', ['-r', keys.recipient], await pipe('zstd', ['-c', '-19'], plain));
    expect(Buffer.from(openBytes(sealed, [keys.identity])).equals(plain)).toBe(true);
  });

  it('a decompression bomb: is refused at the limit, whatever its frame says', () => {
    const bomb = ageSeal(zstdCompressSync(Buffer.alloc(80 * 1024 * 1024)), [keys.recipient]);
    expect(bomb.length).toBeLessThan(20_000);
    expect(refused(bomb)).toMatchObject({ code: 'ObjectCorrupt' });
    expect(refused(bomb, 1_000_000)).toMatchObject({ code: 'ObjectCorrupt' });
  });

  it('exactly the limit: is opened; one byte more is not', () => {
    const sealed = sealBytes(Buffer.alloc(1_000, 'x'), [keys.recipient]);
    expect(openBytes(sealed, [keys.identity], 1_000)).toHaveLength(1_000);
    expect(refused(sealed, 999)).toMatchObject({ code: 'ObjectCorrupt' });
  });

  it('a frame that asks for a window of 128 MiB: is refused before the memory is taken', () => {
    const wide = zstdCompressSync(randomBytes(9 * 1024 * 1024), {
      params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
    });
    expect(refused(ageSeal(wide, [keys.recipient]))).toMatchObject({ code: 'ObjectCorrupt' });
  });

  it.each<[string, (packed: Buffer) => Buffer]>([
    ['cut off', (packed) => packed.subarray(0, packed.length - 5)],
    ['followed by other bytes', (packed) => Buffer.concat([packed, Buffer.from('more')])],
    ['not zstd at all', () => Buffer.from('plain text')],
    ['empty', () => Buffer.alloc(0)],
  ])('a frame that is %s: ObjectCorrupt', (_, damage) => {
    const packed = zstdCompressSync(Buffer.from('the content of an object '.repeat(20)));
    expect(refused(ageSeal(damage(packed), [keys.recipient]))).toMatchObject({ code: 'ObjectCorrupt' });
  });

  it('a chunk id: is the HMAC-SHA-256 of the bytes, as a hash of the key tells nothing about the content', () => {
    // RFC 4231, test case 2.
    expect(chunkId(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?'))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
    const key = randomBytes(32);
    expect(chunkId(key, Buffer.from('x'))).toBe(createHmac('sha256', key).update('x').digest('hex'));
  });
});
