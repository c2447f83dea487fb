/** The write-ahead log in a vault: pieces, gaps, conflicts, and segments put together again. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatLsn, parseHistory, parseLsn, parseSegmentName, segmentName } from '../../src/policy/lsn.ts';
import type { WalSource } from '../../src/part.ts';
import type { WalPiece, WalWriter } from '../../src/vault/index.ts';
import { makeTestVault, noise, type TestVault } from '../support/vault.ts';

const MIB = 1024 * 1024;
const SEGMENT = 8 * MIB;
const signal = new AbortController().signal;
/** One log, two segments long. */
const log = noise(3, 2 * SEGMENT);
const BEGIN = BigInt(SEGMENT);

let vault: TestVault;
let writer: WalWriter;

beforeAll(async () => {
  vault = await makeTestVault();
});

afterAll(async () => {
  await vault[Symbol.asyncDispose]();
});

let cluster = 0;

/** A cluster of its own for each test. */
async function begin(): Promise<string> {
  cluster += 1;
  writer = await vault.walWriter('main');
  return String(7_000_000 + cluster);
}

function piece(systemIdentifier: string, from: number, to: number, timeline = 1): WalPiece {
  const bytes = log.slice(from, to);
  return {
    systemIdentifier,
    timeline,
    segmentBytes: SEGMENT,
    from: BEGIN + BigInt(from),
    bytes,
    receivedAtMs: Date.now(),
    coversUntilMs: Date.now(),
  };
}

async function read(source: WalSource | undefined, name: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source?.read(name, signal) ?? []) parts.push(part);
  return Buffer.concat(parts);
}

describe('[G2] write-ahead log in the vault', () => {
  test('pieces of a segment and then its blocks: it is put together, what has not come is zeros', async () => {
    const id = await begin();
    for (const [from, to] of [
      [0, 1000],
      [1000, 70_000],
      [0, 4 * MIB],
      [4 * MIB, 4 * MIB + 500],
    ] as const) {
      expect(await writer.storeRange(piece(id, from, to))).toBe('written');
    }
    await writer.close();
    const source = await vault.walSource('main', id);
    expect(await source?.files()).toMatchObject([
      { name: '000000010000000000000001', timeline: 1, lengthBytes: SEGMENT, complete: false },
    ]);
    const first = await read(source, '000000010000000000000001');
    expect(first.length).toBe(SEGMENT);
    expect(first.subarray(0, 4 * MIB + 500).equals(log.subarray(0, 4 * MIB + 500))).toBe(true);
    expect(first.subarray(4 * MIB + 500).every((byte) => byte === 0)).toBe(true);
    await source?.close();
  });

  test('everything stored: the segment is complete, the inventory is one stretch', async () => {
    const id = await begin();
    for (let at = 0; at < 2 * SEGMENT; at += 4 * MIB) await writer.storeRange(piece(id, at, at + 4 * MIB));
    const [found] = await writer.inventory({ systemIdentifier: id });
    expect(found?.intervals).toMatchObject([{ timeline: 1, from: BEGIN, to: BEGIN + BigInt(2 * SEGMENT), objects: 4 }]);
    expect(found?.gaps).toEqual([]);
    await writer.close();
    const source = await vault.walSource('main', id);
    expect((await source?.files())?.map(({ complete }) => complete)).toEqual([true, true]);
    expect((await read(source, '000000010000000000000002')).equals(log.subarray(SEGMENT))).toBe(true);
    await source?.close();
  });

  test('a hole, told and untold: both are named, and filling one removes it', async () => {
    const id = await begin();
    await writer.storeRange(piece(id, 0, 100));
    await writer.storeRange(piece(id, 300, 400));
    const hole = { timeline: 1, from: BEGIN + 100n, to: BEGIN + 300n };
    const behind = { timeline: 1, from: BEGIN + 400n, to: BEGIN + BigInt(SEGMENT) };
    await writer.recordGap({ systemIdentifier: id, ...behind, why: 'the slot was dropped' });
    const gapsOf = async () => (await writer.inventory({ systemIdentifier: id }))[0]?.gaps;
    expect(await gapsOf()).toEqual([hole, behind]);
    await writer.storeRange(piece(id, 100, 300));
    expect(await gapsOf()).toEqual([behind]);
    await writer.close();
    const source = await vault.walSource('main', id);
    const file = await read(source, '000000010000000000000001');
    expect(file.subarray(0, 400).equals(log.subarray(0, 400))).toBe(true);
    await source?.close();
  });

  test('the same piece again: there; other bytes under its name: refused loudly', async () => {
    const id = await begin();
    await writer.storeRange(piece(id, 0, 5000));
    expect(await writer.storeRange(piece(id, 0, 5000))).toBe('there');
    const other = { ...piece(id, 0, 5000), bytes: noise(99, 5000) };
    await expect(writer.storeRange(other)).rejects.toMatchObject({
      code: 'WalConflict',
      message: expect.stringContaining('two servers') as string,
    });
    const history = { systemIdentifier: id, timeline: 2, receivedAtMs: Date.now() };
    await writer.storeHistory({ ...history, bytes: Buffer.from('1\t0/3000000\tno recovery target\n') });
    await expect(writer.storeHistory({ ...history, bytes: Buffer.from('other') })).rejects.toMatchObject({
      code: 'WalConflict',
    });
    await writer.close();
    const source = await vault.walSource('main', id);
    expect(parseHistory((await read(source, '00000002.history')).toString())).toEqual([{ parent: 1, at: 0x3000000n }]);
    await source?.close();
  });

  test('the longer piece is damaged: what shorter ones hold is read from them, the rest fails with its key', async () => {
    const id = await begin();
    await writer.storeRange(piece(id, 0, 1000));
    await writer.storeRange(piece(id, 0, 9000));
    await writer.close();
    const name = `000000010000000000000001.0000000000800000-0000000000802328`;
    const path = join(vault.storePath, 'wal/main', id, '00000001', name);
    const bytes = await readFile(path);
    bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1;
    await rm(path);
    await writeFile(path, bytes);
    const source = await vault.walSource('main', id);
    const got: Uint8Array[] = [];
    const reading = async (): Promise<void> => {
      for await (const part of source?.read('000000010000000000000001', signal) ?? []) got.push(part);
    };
    await expect(reading()).rejects.toMatchObject({
      code: 'ObjectCorrupt',
      message: expect.stringContaining(name) as string,
    });
    expect(Buffer.concat(got).equals(log.subarray(0, 1000))).toBe(true);
    await source?.close();
  });

  test('an object under another name: not trusted', async () => {
    const id = await begin();
    await writer.storeRange(piece(id, 0, 1000));
    await writer.close();
    const directory = join(vault.storePath, 'wal/main', id, '00000001');
    const bytes = await readFile(join(directory, '000000010000000000000001.0000000000800000-00000000008003E8'));
    await writeFile(join(directory, '000000010000000000000001.00000000008003E8-00000000008007D0'), bytes);
    const source = await vault.walSource('main', id);
    await expect(read(source, '000000010000000000000001')).rejects.toMatchObject({ code: 'Untrusted' });
    await source?.close();
  });

  test('no log of this cluster: no source', async () => {
    expect(await vault.walSource('main', '1')).toBeUndefined();
  });
});

describe('positions and names', () => {
  test.each([
    ['0/0', 0n],
    ['16/B374D848', 0x16b374d848n],
    ['FFFFFFFF/FFFFFFFF', 0xffffffffffffffffn],
  ])('%s is read and written again', (text, lsn) => {
    expect(parseLsn(text)).toBe(lsn);
    expect(formatLsn(lsn)).toBe(text);
  });

  test('a segment name is where the server would look, for any segment size', () => {
    expect(segmentName(1, parseLsn('16/B374D848'), 16 * MIB)).toBe('0000000100000016000000B3');
    expect(segmentName(10, parseLsn('1/FFFFFFFF'), MIB)).toBe('0000000A0000000100000FFF');
    expect(parseSegmentName('0000000A0000000100000FFF', MIB)).toEqual({ timeline: 10, start: parseLsn('1/FFF00000') });
  });
});
