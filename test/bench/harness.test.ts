import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from '../../scripts/bench.ts';
import type { Results } from '../../scripts/bench/report.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'holdfast-bench-run-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('a whole run on little data: every step by the command and alone, restores compared, report and chart written, nothing left', async () => {
  const json = join(scratch, 'results.json');
  const report = join(scratch, 'docs');
  const size = ['--only', 'files', '--size', '4', '--files', '60', '--runs', '1'];
  const options = ['--without-others', '--without-freeze', '--scratch', scratch, '--json', json, '--report', report];
  expect(await main([...size, ...options])).toBe(0);

  const { figures } = (JSON.parse(await readFile(json, 'utf8')) as { files: Results }).files;
  const steps = new Set(figures.map(({ data, step, contender }) => `${data} ${step} ${contender}`));
  expect(steps.size).toBe(2 * (5 + 4));
  for (const { wallSeconds, cpuSeconds, peakMiB, storedBytes } of figures) {
    for (const value of [wallSeconds, cpuSeconds, peakMiB, storedBytes]) expect(value).toBeGreaterThan(0);
  }
  const stored = (step: string, contender: string) =>
    figures.find((one) => one.data === 'ledger' && one.step === step && one.contender === contender)?.storedBytes ?? 0;
  for (const contender of ['holdfast', 'holdfast, alone']) {
    // What did not change costs a manifest and a proof, not the data again.
    expect(stored('unchanged', contender) - stored('first', contender)).toBeLessThan(256 * 1024);
    expect(stored('changed', contender) - stored('unchanged', contender)).toBeGreaterThan(100 * 1024);
  }
  expect(await readFile(join(report, 'benchmarks.md'), 'utf8')).toContain('## What was to be reached');
  expect(await readFile(join(report, 'pictures', 'benchmarks.svg'), 'utf8')).toContain('</svg>');
  expect((await readdir(scratch)).sort()).toEqual(['docs', 'results.json']);
}, 300_000);
