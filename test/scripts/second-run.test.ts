import { describe, expect, test } from 'vitest';
import { filesToRunAgain, mergeRuns } from '../../scripts/test/second-run.ts';
import type { RunSummary, TestOutcome } from '../../scripts/test/reporter.ts';

function outcome(file: string, state: TestOutcome['state'], error?: string): TestOutcome {
  return { file, name: 'it', state, durationMs: 1, retries: 0, ...(error === undefined ? {} : { error }) };
}

function summary(tests: TestOutcome[], errors: string[] = []): RunSummary {
  const files = [...new Set(tests.map(({ file }) => file))].map((file) => ({ file, durationMs: 1 }));
  return { tests, files, errors };
}

describe('the second run of files that failed', () => {
  test('nothing failed: nothing is run again', () => {
    expect(filesToRunAgain(summary([outcome('a', 'passed')]))).toEqual([]);
  });

  test('a test and a hook failed: both files are run again', () => {
    const run = summary(
      [outcome('a', 'failed'), outcome('b', 'passed'), outcome('c', 'passed')],
      ['b: hook timed out'],
    );
    expect(filesToRunAgain(run)).toEqual(['a', 'b']);
  });

  test('an error that belongs to no file: no second run can excuse it', () => {
    expect(filesToRunAgain(summary([outcome('a', 'failed')], ['outside any test: boom']))).toEqual([]);
  });

  test('many files failed: it is no accident, and nothing is run again', () => {
    const run = summary(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((file) => outcome(file, 'failed')));
    expect(filesToRunAgain(run)).toEqual([]);
  });

  test('it passes the second time: it counts as passed and names its first error', () => {
    const first = summary([outcome('a', 'failed', 'slow'), outcome('b', 'passed')]);
    const merged = mergeRuns(first, summary([outcome('a', 'passed')]), ['a']);
    expect(merged.tests).toEqual([outcome('b', 'passed'), { ...outcome('a', 'passed', 'slow'), retries: 1 }]);
    expect(merged.errors).toEqual([]);
  });

  test('it fails twice: it has failed', () => {
    const first = summary([outcome('a', 'failed', 'x')], ['a: hook']);
    const merged = mergeRuns(first, summary([outcome('a', 'failed', 'y')], ['a: hook again']), ['a']);
    expect(merged.tests.map(({ state }) => state)).toEqual(['failed']);
    expect(merged.errors).toEqual(['a: hook again']);
  });
});
