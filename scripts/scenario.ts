/**
 * `npm run scenario -- M5`: runs the tests of one row of the systems, those whose titles carry `[M5]`. Their files are run
 * whole, because a test may stand on what those before it have made; only the row's own are counted. Exit code 0 only
 * when at least one ran and all of them passed; 2 when the argument is no row.
 */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { endChildrenOnSignals } from './test/child.ts';
import { LANES, LONG } from './test/lanes.ts';
import { reportLines, totalsOf } from './test/report.ts';
import type { RunSummary } from './test/reporter.ts';
import { ROOT, runVitest } from './test/vitest.ts';
import { prepare, runMain, UsageError } from './setup.ts';

const USAGE = 'Usage: npm run scenario -- <row>, for example: npm run scenario -- M5';

async function filesOf(row: string): Promise<string[]> {
  const files = (await readdir(path.join(ROOT, 'test'), { recursive: true })).filter((file) =>
    file.endsWith('.test.ts'),
  );
  const named = files.map((file) => path.join('test', file)).toSorted();
  return named.filter((file) => readFileSync(path.join(ROOT, file), 'utf8').includes(`[${row}]`));
}

async function runRow(row: string, files: readonly string[]): Promise<RunSummary[]> {
  await using prepared = await prepare('test');
  Object.assign(process.env, prepared.environment);
  const runs: RunSummary[] = [];
  for (const project of [...LANES.flat(), ...LONG]) {
    const run = await runVitest(project, files);
    runs.push({ ...run, tests: run.tests.filter(({ name }) => name.includes(`[${row}]`)) });
  }
  return runs;
}

async function main(row: string | undefined): Promise<number> {
  if (row === undefined || !/^[A-Z]\d{1,2}$/.test(row)) throw new UsageError(`${row ?? 'nothing'} is no row.`);
  endChildrenOnSignals();
  const files = await filesOf(row);
  if (files.length === 0) {
    process.stderr.write(`No test covers the row ${row}.\n`);
    return 1;
  }
  const runs = await runRow(row, files);
  process.stdout.write(`${reportLines([], runs).join('\n')}\n`);
  const { passed, failed } = totalsOf([], runs);
  return passed > 0 && failed === 0 ? 0 : 1;
}

await runMain(() => main(process.argv[2]), USAGE);
