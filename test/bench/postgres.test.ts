import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { withoutPlaces } from '../../scripts/bench.ts';
import { serverCpuSeconds } from '../../scripts/bench/postgres/contender.ts';
import { changeRows, fillServer, fingerprint, startBenchServer } from '../../scripts/bench/postgres/data.ts';
import { joinReport, postgresMarkdown, postgresTargets, splitReport } from '../../scripts/bench/postgres/report.ts';
import type { PostgresResults } from '../../scripts/bench/postgres/report.ts';
import type { PostgresFigure } from '../../scripts/bench/postgres/run.ts';

const figure = (contender: string, step: PostgresFigure['step'], wallSeconds: number, addedMiB: number) => ({
  ...({
    contender,
    family: 'base',
    step,
    run: 0,
    wallSeconds,
    cpuSeconds: 1,
    serverCpuSeconds: 2,
    peakMiB: 50,
  } as const),
  addedBytes: addedMiB * 1024 * 1024,
  addedWalBytes: 0,
});

const results = (figures: readonly PostgresFigure[], lostSeconds: number): PostgresResults => ({
  ...{ command: 'npm run bench', machine: 'a machine', date: '2026-01-01', runs: 1, scale: 4, databaseBytes: 2 ** 26 },
  contenders: [{ name: 'pgBackRest', description: 'as it comes' }],
  figures,
  recovery: {
    ...{ loadSeconds: 60, walBytes: 2 ** 20 },
    figures: [
      { contender: 'holdfast base', restoreSeconds: 1, replaySeconds: 2, acknowledged: 900, lost: 9, lostSeconds },
    ],
  },
});

test('targets of PostgreSQL: the second backup against the best of the others, and what a kill lost', () => {
  const others = [figure('pgBackRest', 'recent', 9, 100), figure('pgBackRest zst', 'recent', 5, 80)];
  const reached = (figures: readonly PostgresFigure[], lost: number) =>
    postgresTargets(results(figures, lost)).map((target) => target.reached);
  expect(reached([figure('holdfast base', 'recent', 5, 40), ...others], 9.9)).toEqual([true, true, true]);
  expect(reached([figure('holdfast base', 'recent', 5.1, 41), ...others], 10)).toEqual([false, false, false]);
  expect(reached(others, 1)).toEqual([true]);
});

test('the report: its PostgreSQL section is exchanged and the rest stays, either may be missing', () => {
  const section = postgresMarkdown(results([figure('pgBackRest', 'first', 9, 100)], 1));
  expect(section).toMatch(/^## PostgreSQL\n/);
  expect(section).toContain('| pgBackRest | 9.00 | 1.00 | 2.00 | 50 | 100.0 | 0.0 | 0.64 |');
  const files = '# Benchmarks\n\n## Ledger\n\ntext\n';
  const both = joinReport(files, section);
  expect(splitReport(both).postgres).toBe(section);
  expect(joinReport(splitReport(both).before, '## PostgreSQL\n\nnew')).toBe(`${files}\n## PostgreSQL\n\nnew\n`);
  expect(splitReport(files)).toEqual({ before: files, postgres: '' });
  expect(joinReport('', section)).toBe(section);
});

test('the command in the report: without the places of the machine it ran on', () => {
  const words = ['--only', 'postgres', '--json', '/x/y.json', '--report', 'docs', '--scratch=/x'];
  expect(withoutPlaces(words)).toEqual(['--only', 'postgres', '--report', 'docs']);
});

test('the data: as many rows as the scale says, a hundredth of them changes side by side or anywhere, and shows', async () => {
  await using server = await startBenchServer(tmpdir());
  await fillServer(server, 1);
  const pages = async () =>
    Number(
      await server.value(
        `SELECT count(DISTINCT (ctid::text::point)[0]) FROM pgbench_accounts WHERE abalance > 0`,
        ...[{ database: 'bench' }],
      ),
    );
  const seen = [await fingerprint(server)];
  expect(seen[0]).toMatch(/^100000 0 /);
  expect(await changeRows(server, 1, 'recent', 7)).toBe(1000);
  expect(await pages()).toBeLessThan(30);
  seen.push(await fingerprint(server));
  const changed = await changeRows(server, 1, 'random', 7);
  expect(changed).toBeGreaterThan(800);
  expect(changed).toBeLessThan(1200);
  seen.push(await fingerprint(server));
  expect(new Set(seen).size).toBe(3);
  expect(serverCpuSeconds(server)).toBeGreaterThan(0);
});
