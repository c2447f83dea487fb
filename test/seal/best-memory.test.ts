import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeLedgerData } from '../../scripts/bench/ledger-data.ts';
import { BestMemory } from '../../src/seal/best-memory.ts';
import { compress, decompress, DEFAULT_LEVEL } from '../../src/seal/compress.ts';

const MIB = 1024 * 1024;
let records: Buffer;
let text: Buffer;

beforeAll(async () => {
  const base = await mkdtemp(join(tmpdir(), 'holdfast-memory-'));
  await writeLedgerData(join(base, 'ledger'), 4 * MIB, 1);
  records = await readFile(join(base, 'ledger'));
  text = (await readFile(createRequire(import.meta.url).resolve('typescript'))).subarray(0, 4 * MIB);
  await rm(base, { recursive: true, force: true });
});

const chunks = (bytes: Buffer): Buffer[] =>
  Array.from({ length: 4 }, (_, index) => bytes.subarray(index * MIB, (index + 1) * MIB));
const total = (packed: readonly Buffer[]): number => packed.reduce((sum, one) => sum + one.length, 0);

describe('how much zstd remembers', () => {
  it('a file of records: every chunk is smaller than as usual, and comes back', () => {
    const best = new BestMemory(DEFAULT_LEVEL);
    for (const chunk of chunks(records)) {
      const packed = best.compress(chunk, 'ledger');
      expect(packed.length).toBeLessThan(compress(chunk).length);
      expect(decompress(packed, MIB).equals(chunk)).toBe(true);
    }
  });

  it('a file of text, also after one of records: is compressed as usual', () => {
    const best = new BestMemory(DEFAULT_LEVEL);
    for (const chunk of chunks(records)) best.compress(chunk, 'ledger');
    const packed = chunks(text).map((chunk) => best.compress(chunk, 'text'));
    expect(total(packed)).toBe(total(chunks(text).map((chunk) => compress(chunk))));
  });

  it('chunks of many files: are compressed as usual, without a trial', () => {
    const best = new BestMemory(DEFAULT_LEVEL);
    for (const chunk of chunks(records)) expect(best.compress(chunk, undefined).equals(compress(chunk))).toBe(true);
  });
});
