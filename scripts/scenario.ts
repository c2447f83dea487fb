/**
 * `npm run scenario -- M5`: runs the tests of one row of the systems, those whose titles carry `[M5]`. Exit code 0 only
 * when at least one ran and all of them passed; 2 when the argument is no row.
 */
import { endChildrenOnSignals } from './test/child.ts';
import { reportLines, totalsOf } from './test/report.ts';
import type { RunSummary } from './test/reporter.ts';
import { PROJECTS, runVitest } from './test/vitest.ts';
import { prepare, runMain } from './setup.ts';

async function main(row: string | undefined): Promise<number> {
  if (row === undefined || !/^[A-Z]\d{1,2}$/.test(row)) {
    process.stderr.write('Usage: npm run scenario -- <row>, for example: npm run scenario -- M5\n');
    return 2;
  }
  endChildrenOnSignals();
  await using prepared = await prepare('test');
  Object.assign(process.env, prepared.environment);
  const runs: RunSummary[] = [];
  for (const project of PROJECTS) {
    const run = await runVitest(project, ['-t', `\\[${row}\\]`]);
    // Tests of other rows were left out by the title, not skipped by somebody.
    runs.push({ ...run, tests: run.tests.filter(({ name }) => name.includes(`[${row}]`)) });
  }
  process.stdout.write(`${reportLines([], runs).join('\n')}\n`);
  const { passed, failed } = totalsOf([], runs);
  return passed > 0 && failed === 0 ? 0 : 1;
}

await runMain(() => main(process.argv[2]));
