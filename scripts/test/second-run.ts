/**
 * A second run, alone, of the files that failed: a busy machine can cost a test of real servers its first run. What fails
 * twice has failed; what passes then is listed as such, with the first error.
 */
import type { RunSummary, TestOutcome } from './reporter.ts';

/** More failing files than this are no accident of a busy machine, and are not run again. */
const FILES_MAX = 6;

/** The files worth a second run: none when nothing failed, when too much did, or when an error belongs to no file. */
export function filesToRunAgain(run: RunSummary): string[] {
  const failed = run.tests.filter(({ state }) => state === 'failed').map(({ file }) => file);
  const broken = run.errors.map((error) => run.files.find(({ file }) => error.startsWith(file))?.file);
  if (broken.includes(undefined)) return [];
  const files = [...new Set([...failed, ...broken.filter((file) => file !== undefined)])];
  return files.length > FILES_MAX ? [] : files;
}

/** The first run with the outcome of the second for its files; a test that passed now counts its first run as a try. */
export function mergeRuns(first: RunSummary, second: RunSummary, files: readonly string[]): RunSummary {
  const firstOf = (test: TestOutcome): TestOutcome | undefined =>
    first.tests.find(({ file, name }) => file === test.file && name === test.name);
  const again = second.tests.map((test) => {
    const before = firstOf(test);
    if (test.state !== 'passed' || before?.state !== 'failed') return test;
    const error = before.error === undefined ? {} : { error: before.error };
    return { ...test, retries: test.retries + before.retries + 1, ...error };
  });
  return {
    tests: [...first.tests.filter(({ file }) => !files.includes(file)), ...again],
    files: [...first.files.filter(({ file }) => !files.includes(file)), ...second.files],
    errors: [...first.errors.filter((error) => !files.some((file) => error.startsWith(file))), ...second.errors],
  };
}
