/**
 * `npm test`: prepares what the tests need, checks types, rules and formatting, runs every test, and ends with the line
 * `N passed, N failed`. Arguments go to Vitest and leave the static checks out: `npm test -- test/house`,
 * `npm test -- -t torn`. Exit code 0 only when something ran and nothing failed.
 */
import { endChildrenOnSignals, wasInterrupted } from './test/child.ts';
import { LANES } from './test/lanes.ts';
import type { Project } from './test/lanes.ts';
import { reportLines, totalsOf } from './test/report.ts';
import type { StaticCheck } from './test/report.ts';
import type { RunSummary } from './test/reporter.ts';
import { filesToRunAgain, mergeRuns } from './test/second-run.ts';
import { runStaticChecks } from './test/static-checks.ts';
import { runVitest } from './test/vitest.ts';
import { prepare, runMain } from './setup.ts';

interface ProjectRun {
  readonly project: Project;
  readonly run: RunSummary;
}

async function runLane(projects: readonly Project[], args: readonly string[]): Promise<ProjectRun[]> {
  const runs: ProjectRun[] = [];
  for (const project of projects) {
    if (wasInterrupted()) break;
    runs.push({ project, run: await runVitest(project, args) });
  }
  return runs;
}

/** On a CI machine, files that failed get a second run of their own before the verdict, with nothing beside them. */
async function secondChance({ project, run }: ProjectRun): Promise<RunSummary> {
  const files = process.env['CI'] === undefined || wasInterrupted() ? [] : filesToRunAgain(run);
  if (files.length === 0) return run;
  process.stdout.write(`\nRunning again, alone: ${files.join(', ')}\n`);
  return mergeRuns(run, await runVitest(project, files), files);
}

async function main(args: readonly string[]): Promise<number> {
  endChildrenOnSignals();
  const { checks, runs } = await checkAndTest(args);
  process.stdout.write(`${reportLines(checks, runs).join('\n')}\n`);
  return totalsOf(checks, runs).failed === 0 && !wasInterrupted() ? 0 : 1;
}

/** What was started for the tests is stopped when this resolves, so that nothing is said after the last line. */
async function checkAndTest(args: readonly string[]): Promise<{ checks: StaticCheck[]; runs: RunSummary[] }> {
  await using prepared = await prepare('test');
  Object.assign(process.env, prepared.environment);
  const [checks, lanes] = await Promise.all([
    args.length === 0 ? runStaticChecks() : [],
    Promise.all(LANES.map((projects) => runLane(projects, args))),
  ]);
  const runs: RunSummary[] = [];
  for (const each of lanes.flat()) runs.push(await secondChance(each));
  return { checks, runs };
}

await runMain(() => main(process.argv.slice(2)));
