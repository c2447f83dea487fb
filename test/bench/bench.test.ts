import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync, constants } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BLOCK_BYTES, mutateLedgerData, writeLedgerData } from '../../scripts/bench/ledger-data.ts';
import { childSeconds, measure, treeBytes } from '../../scripts/bench/measure.ts';
import { chart, markdown } from '../../scripts/bench/report.ts';
import type { Results } from '../../scripts/bench/report.ts';
import { turned } from '../../scripts/bench/run.ts';
import type { Figure } from '../../scripts/bench/run.ts';
import { writeSmallFiles } from '../../scripts/bench/small-files.ts';
import { judge, median } from '../../scripts/bench/targets.ts';

const MIB = 1024 * 1024;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-bench-test-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test('ledger data of one seed: the same bytes every time, and about half of them after zstd level 1', async () => {
  const digests = new Set<string>();
  for (const name of ['a', 'b']) {
    await writeLedgerData(join(directory, name), 8 * MIB, 5);
    const bytes = await readFile(join(directory, name));
    digests.add(createHash('sha256').update(bytes).digest('hex'));
    const params = { [constants.ZSTD_c_compressionLevel]: 1 };
    const ratio = bytes.length / zstdCompressSync(bytes, { params }).length;
    expect(ratio).toBeGreaterThan(1.8);
    expect(ratio).toBeLessThan(2.4);
  }
  expect(digests.size).toBe(1);
});

test('a share of the blocks changed in place: exactly so many differ, and the size stays', async () => {
  const path = join(directory, 'mutated');
  await writeLedgerData(path, 32 * MIB, 5);
  const before = await readFile(path);
  const changed = await mutateLedgerData(path, 0.1, 9);
  const after = await readFile(path);
  expect(after.length).toBe(before.length);
  let different = 0;
  for (let at = 0; at < before.length; at += BLOCK_BYTES) {
    if (!before.subarray(at, at + BLOCK_BYTES).equals(after.subarray(at, at + BLOCK_BYTES))) different += 1;
  }
  expect(different).toBe(changed);
  expect(changed).toBe(6);
});

test('small files: as many as wanted, none beyond its limits, the total as told', async () => {
  const root = join(directory, 'files');
  const total = await writeSmallFiles(root, 250, 3);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  expect(files).toHaveLength(250);
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await readFile(join(parentPath, name))).length),
  );
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(205);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(total);
});

test('a command that burns time in a grandchild: its CPU is counted; one that fails: its words are told', async () => {
  const burn = 'const end = process.cpuUsage().user + 300000; while (process.cpuUsage().user < end);';
  const command = ['bash', '-c', `"${process.execPath}" -e "${burn}"; true`];
  const cost = await measure({ command, syncPath: directory });
  expect(cost.cpuSeconds).toBeGreaterThan(0.25);
  expect(cost.peakMiB).toBeGreaterThan(10);
  const failing = ['bash', '-c', 'echo what went wrong >&2; exit 3'];
  await expect(measure({ command: failing, syncPath: directory })).rejects.toThrow(/ended with 3: what went wrong/);
});

test('times as the shell prints them: the second line counts, minutes and all', () => {
  expect(childSeconds('0m9.000s 0m9.000s\n2m1.500s 0m0.250s\n')).toBeCloseTo(121.75);
  expect(() => childSeconds('nonsense')).toThrow(/not a time/);
});

test('the order turns with every step, and a median of an even count lies between', () => {
  expect(turned(['a', 'b', 'c'], 4)).toEqual(['b', 'c', 'a']);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow();
});

function figure(contender: string, wallSeconds: number, more: Partial<Figure> = {}): Figure {
  return {
    contender,
    data: 'ledger',
    step: 'first',
    run: 0,
    wallSeconds,
    cpuSeconds: wallSeconds,
    peakMiB: 100,
    storedBytes: 1000,
    ...more,
  };
}

function resultsOf(figures: readonly Figure[]): Results {
  return {
    command: 'npm run bench',
    machine: 'a machine',
    date: '2026-01-01',
    runs: 1,
    ledgerBytes: 2000,
    files: 10,
    filesBytes: 100,
    contenders: [{ name: 'holdfast', description: 'this' }],
    figures,
    zstdSeconds: 10,
    freezes: [],
  };
}

test('figures that fall short: the verdict and the report say so, with the factor against the fastest', () => {
  const slow = [figure('holdfast', 10), figure('restic', 15), figure('borg zstd,1', 18)];
  expect(judge(slow, 10).find(({ what }) => what.startsWith('first backup of the ledger'))).toMatchObject({
    reached: false,
    measured: '1.50 times (10.00 s, 15.00 s)',
  });
  expect(markdown(resultsOf(slow))).toContain('**not reached**');
  const fast = [figure('holdfast', 5, { storedBytes: 1030 }), figure('holdfast, alone', 17), figure('restic', 15)];
  const verdicts = new Map(judge(fast, 10).map(({ what, reached }) => [what.split(',')[0], reached]));
  expect(verdicts.get('first backup of the ledger')).toBe(true);
  expect(verdicts.get('stored bytes of the first backup')).toBe(false);
  expect(verdicts.get('capture of the ledger alone')).toBe(true);
  expect(verdicts.get('memory of the host worker')).toBe(true);
  expect(chart(resultsOf(fast))).toContain('5.00 s</text>');
});

test('the bytes of a tree: files in folders are counted', async () => {
  const root = join(directory, 'tree');
  const total = await writeSmallFiles(root, 5, 1);
  expect(await treeBytes(root)).toBe(total);
});
