/** One pass of Vitest and what it came to. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runChild } from './child.ts';
import type { Project } from './lanes.ts';
import { SUMMARY_VARIABLE } from './reporter.ts';
import type { RunSummary } from './reporter.ts';

export const ROOT = path.resolve(import.meta.dirname, '..', '..');

/** One file after the other, whatever the configuration of a project is able to say: there are other lanes beside it. */
const ALONE = ['--no-file-parallelism', '--maxWorkers=1'];

/**
 * Runs the tests of one project that match the arguments. A run that ends without a summary (it crashed or was killed)
 * counts as an error, so that it can never look like success.
 */
export async function runVitest(project: Project, args: readonly string[]): Promise<RunSummary> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'holdfast-summary-'));
  const target = path.join(scratch, 'summary.json');
  try {
    const vitest = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
    const { code } = await runChild(
      process.execPath,
      [
        vitest,
        'run',
        '--project',
        project,
        '--passWithNoTests',
        ...(project === 'unit' && args.length > 0 ? [] : ALONE),
        ...args,
      ],
      { show: true, cwd: ROOT, env: { ...process.env, [SUMMARY_VARIABLE]: target } },
    );
    return accountFor(readSummary(target), code, project);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function readSummary(target: string): RunSummary | undefined {
  try {
    return JSON.parse(readFileSync(target, 'utf8')) as RunSummary;
  } catch {
    return undefined;
  }
}

/** A failing exit that nothing in the summary explains is an error of its own. */
export function accountFor(summary: RunSummary | undefined, code: number, project: string): RunSummary {
  const known = summary ?? { tests: [], files: [], errors: [] };
  const explained = known.errors.length > 0 || known.tests.some((test) => test.state === 'failed');
  if (code === 0 && summary !== undefined) return known;
  if (explained) return known;
  const what = summary === undefined ? 'ended without a result' : 'failed for no reason that a test gives';
  return { ...known, errors: [`the ${project} tests ${what} (exit code ${code})`] };
}
