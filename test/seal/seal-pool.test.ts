import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rename, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ChunkRecipe, FileExpectation, Piece } from '../../src/part.ts';
import { MAX_CHUNK_BYTES } from '../../src/part.ts';
import { chunkId, createSealPool, generateAgeIdentity, openBytes } from '../../src/seal/index.ts';
import type { SealPool } from '../../src/seal/index.ts';
import { runWithoutPrivilege } from '../support/without-privilege.ts';
import { pipe } from './programs.ts';

const keys = generateAgeIdentity();
const escrow = generateAgeIdentity();
const chunkIdKey = randomBytes(32);
const pools: SealPool[] = [];
let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-seal-'));
});

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

function pool(threads = 2): SealPool {
  const made = createSealPool({ recipients: [keys.recipient, escrow.recipient], chunkIdKey, threads });
  pools.push(made);
  return made;
}

async function expectation(path: string | Buffer): Promise<FileExpectation> {
  const found = await stat(path, { bigint: true });
  return { sizeBytes: Number(found.size), mtimeNs: found.mtimeNs, inode: found.ino };
}

async function makeFile(name: string | Buffer, content: Uint8Array | string): Promise<Buffer> {
  const path = Buffer.concat([Buffer.from(`${base}/`), Buffer.from(name)]);
  await writeFile(path, content);
  return path;
}

function recipe(...pieces: Piece[]): ChunkRecipe {
  const lengths = pieces.map((piece) => (piece.kind === 'bytes' ? piece.bytes.length : piece.length));
  return { pieces, lengthBytes: lengths.reduce((sum, length) => sum + length, 0) };
}

const bytesOf = (content: string | Uint8Array): Piece => ({ kind: 'bytes', bytes: Buffer.from(content) });
const always = () => true;

function opened(sealed: Uint8Array | undefined): Buffer {
  return Buffer.from(openBytes(sealed ?? new Uint8Array(0), [escrow.identity]));
}

describe('a seal pool', () => {
  it('a chunk of bytes and file ranges: is named by its content, and age and zstd in a shell give it back', async () => {
    const content = randomBytes(300_000);
    const path = await makeFile('ledger', content);
    const expect_ = await expectation(path);
    const range = { kind: 'range', path, offset: 1_000, length: 250_000, expect: expect_ } as const;
    const chunk = await pool().seal(recipe(bytesOf('header'), range, bytesOf('trailer')), always);
    const plain = Buffer.concat([Buffer.from('header'), content.subarray(1_000, 251_000), Buffer.from('trailer')]);
    expect(chunk).toMatchObject({ id: chunkId(chunkIdKey, plain), lengthBytes: plain.length, changed: [] });
    await writeFile(join(base, 'identity'), keys.identity);
    const packed = await pipe('age', ['-d', '-i', join(base, 'identity')], chunk.sealed ?? '');
    expect((await pipe('zstd', ['-dc'], packed)).equals(plain)).toBe(true);
  });

  it('the smallest and the largest chunk: both work; none and one byte more do not', async () => {
    const sealing = pool();
    for (const length of [1, MAX_CHUNK_BYTES]) {
      const plain = randomBytes(length);
      expect(opened((await sealing.seal(recipe(bytesOf(plain)), always)).sealed).equals(plain)).toBe(true);
    }
    const bad = [recipe(), recipe(bytesOf(Buffer.alloc(MAX_CHUNK_BYTES + 1))), { pieces: [], lengthBytes: Number.NaN }];
    for (const wrong of bad) await expect(sealing.seal(wrong, always)).rejects.toMatchObject({ code: 'Internal' });
  });

  it('hundreds of chunks at once: each is right, and every header is the same while no payload is', async () => {
    const sealing = pool();
    const plains = Array.from({ length: 300 }, (_, index) => Buffer.alloc(1 + index * 97, `chunk ${index} `));
    const chunks = await Promise.all(
      plains.map(async (plain) => {
        await sealing.ready();
        return sealing.seal(recipe(bytesOf(plain)), () => Promise.resolve(true));
      }),
    );
    for (const [index, chunk] of chunks.entries()) {
      const plain = plains[index] ?? Buffer.alloc(0);
      expect(chunk.id).toBe(chunkId(chunkIdKey, plain));
      expect(opened(chunk.sealed).equals(plain)).toBe(true);
    }
    const [one, two] = [
      await sealing.seal(recipe(bytesOf('same')), always),
      await sealing.seal(recipe(bytesOf('same')), always),
    ];
    const [a, b] = [Buffer.from(one.sealed ?? []), Buffer.from(two.sealed ?? [])];
    const header = a.indexOf('\n', a.indexOf('\n--- ') + 1);
    expect(a.subarray(0, header).equals(b.subarray(0, header))).toBe(true);
    expect(a.subarray(header + 1, header + 17).equals(b.subarray(header + 1, header + 17))).toBe(false);
  });

  it('many small files in one chunk, with names that are not UTF-8: come in their order', async () => {
    const pieces: Piece[] = [];
    const plain: Buffer[] = [];
    for (let index = 0; index < 500; index += 1) {
      const name = Buffer.concat([Buffer.from(`small-${index}-`), Buffer.from([0xff, 0x80 + (index % 100)])]);
      const content = Buffer.alloc(index * 3, `content ${index} `);
      const path = await makeFile(name, content);
      const header = Buffer.alloc(512, index % 256);
      pieces.push(bytesOf(header), {
        kind: 'range',
        path,
        offset: 0,
        length: content.length,
        expect: await expectation(path),
      });
      plain.push(header, content);
    }
    const chunk = await pool().seal(recipe(...pieces), always);
    expect(chunk.changed).toEqual([]);
    expect(opened(chunk.sealed).equals(Buffer.concat(plain))).toBe(true);
  });

  it('a chunk that is not wanted: is named and not sealed; the question carries its name and length', async () => {
    const asked: unknown[] = [];
    const wanted = (...question: unknown[]) => {
      asked.push(question);
      return false;
    };
    const chunk = await pool().seal(recipe(bytesOf('known already')), wanted);
    expect(chunk).toEqual({
      id: chunkId(chunkIdKey, Buffer.from('known already')),
      lengthBytes: 13,
      changed: [],
      sealed: undefined,
    });
    expect(asked).toEqual([[chunk.id, 13]]);
  });

  it('a question that fails: fails that chunk with its own error, and the pool goes on', async () => {
    const sealing = pool(1);
    const cause = new Error('the store is gone');
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) =>
        sealing.seal(recipe(bytesOf(`chunk ${index}`)), () => (index % 2 ? Promise.reject(cause) : true)),
      ),
    );
    const failed = results.filter((result) => result.status === 'rejected');
    expect(failed.map((result) => result.reason as unknown)).toEqual(Array.from({ length: 6 }, () => cause));
    expect(opened((await sealing.seal(recipe(bytesOf('after')), always)).sealed).toString()).toBe('after');
  });

  it('close: rejects what is unfinished, lets waiters go, and refuses what comes later', async () => {
    const sealing = pool(1);
    const stuck = Array.from({ length: 10 }, () =>
      sealing.seal(recipe(bytesOf('x')), () => new Promise(() => undefined)),
    );
    const waiter = sealing.ready();
    await sealing.close();
    await waiter;
    for (const chunk of stuck) await expect(chunk).rejects.toMatchObject({ code: 'Internal' });
    await expect(sealing.seal(recipe(bytesOf('x')), always)).rejects.toMatchObject({ code: 'Internal' });
  });

  it('recipients or a key that cannot be used: are refused before anything starts', () => {
    const make = (recipients: string[], key: Uint8Array) => () => createSealPool({ recipients, chunkIdKey: key });
    expect(make(['age1nonsense'], chunkIdKey)).toThrow(expect.objectContaining({ code: 'BadInput' }) as Error);
    expect(make([], chunkIdKey)).toThrow(expect.objectContaining({ code: 'BadInput' }) as Error);
    expect(make([keys.recipient], randomBytes(16))).toThrow(expect.objectContaining({ code: 'BadInput' }) as Error);
  });
});

describe('files that are not as they were', () => {
  /** What is done to the file between the scan and the read, and what is read then. */
  const changes: [string, (path: string) => Promise<void>, string][] = [
    ['touched', (path) => utimes(path, 1, 1), 'abcdefgh'],
    ['longer', (path) => writeFile(path, 'abcdefgh and more'), 'abcdefgh'],
    ['shorter', (path) => truncate(path, 3), 'abc\0\0\0\0\0'],
    ['gone', (path) => rm(path), '\0\0\0\0\0\0\0\0'],
    ['another file of the same size and time', replaceKeepingTimes, 'ABCDEFGH'],
    ['a link', (path) => replaceBy(path, () => symlink('/etc/hostname', path)), '\0\0\0\0\0\0\0\0'],
    ['a directory', (path) => replaceBy(path, () => mkdir(path)), '\0\0\0\0\0\0\0\0'],
    ['a FIFO that nobody writes to', (path) => replaceBy(path, () => makeFifo(path)), '\0\0\0\0\0\0\0\0'],
  ];

  it.each(changes)(
    'a file that is now %s: is reported by name, and the chunk keeps its length',
    async (name, change, read) => {
      const path = (await makeFile(`changing ${name}`, 'abcdefgh')).toString();
      const piece: Piece = { kind: 'range', path, offset: 0, length: 8, expect: await expectation(path) };
      const sealing = pool();
      expect((await sealing.seal(recipe(piece), always)).changed).toEqual([]);
      await change(path);
      const chunk = await sealing.seal(recipe(bytesOf('['), piece, bytesOf(']')), always);
      expect(chunk.changed).toEqual([path]);
      expect(opened(chunk.sealed).toString('latin1')).toBe(`[${read}]`);
    },
  );

  it('a disk that does not give the bytes: fails the chunk as SourceCorrupt, with the name of the file', async () => {
    // Address 0 of this process is mapped nowhere: the kernel answers EIO, as a bad disk does.
    const piece: Piece = {
      kind: 'range',
      path: '/proc/self/mem',
      offset: 0,
      length: 8,
      expect: await expectation('/proc/self/mem'),
    };
    const sealed = pool().seal(recipe(piece), always);
    await expect(sealed).rejects.toMatchObject({ code: 'SourceCorrupt' });
    await expect(sealed).rejects.toThrow('/proc/self/mem');
  });

  it('a file that may not be read: PermissionDenied, with its name [M10]', async () => {
    const path = (await makeFile('forbidden', 'x')).toString();
    await chmod(path, 0);
    const script = join(import.meta.dirname, 'forbidden-child.ts');
    expect(await runWithoutPrivilege(script, path)).toEqual({ code: 'PermissionDenied', namesFile: true });
  });
});

async function replaceKeepingTimes(path: string): Promise<void> {
  const before = await stat(path);
  await writeFile(`${path}.new`, 'ABCDEFGH');
  await utimes(`${path}.new`, before.atime, before.mtime);
  await rename(`${path}.new`, path);
}

async function replaceBy(path: string, make: () => Promise<unknown>): Promise<void> {
  await rm(path);
  await make();
}

async function makeFifo(path: string): Promise<void> {
  await promisify(execFile)('mkfifo', [path]);
}
