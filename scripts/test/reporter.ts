/** What a Vitest run came to, written as one JSON file that the runner adds up and prints in its own words. */
import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export interface TestOutcome {
  readonly file: string;
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly durationMs: number;
  readonly retries: number;
  /** The first error's message, of a failed test or of the first try of one that needed another. */
  readonly error?: string;
}

export interface RunSummary {
  readonly tests: readonly TestOutcome[];
  readonly files: readonly { readonly file: string; readonly durationMs: number }[];
  /** Errors outside any test: a file that does not load, a hook that fails, an unhandled rejection. */
  readonly errors: readonly string[];
}

/** Where the summary goes; the runner sets it. */
export const SUMMARY_VARIABLE = 'HOLDFAST_TEST_SUMMARY';

function outcomesOf(module: TestModule): TestOutcome[] {
  return [...module.children.allTests()].map((test) => {
    const result = test.result();
    const diagnostic = test.diagnostic();
    const error = result.errors?.[0]?.message;
    return {
      file: module.relativeModuleId,
      name: test.fullName,
      // A test that never finished did not pass.
      state: result.state === 'pending' ? 'failed' : result.state,
      durationMs: diagnostic?.duration ?? 0,
      retries: diagnostic?.retryCount ?? 0,
      ...(error === undefined ? {} : { error }),
    };
  });
}

/** Failures of files and hooks that belong to no single test. */
function errorsOf(module: TestModule): string[] {
  const own = module.errors().map((error) => `${module.relativeModuleId}: ${error.message}`);
  const suites = [...module.children.allSuites()].flatMap((suite) =>
    suite.errors().map((error) => `${module.relativeModuleId}, ${suite.fullName}: ${error.message}`),
  );
  return [...own, ...suites];
}

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const target = process.env[SUMMARY_VARIABLE];
    if (target === undefined) return;
    const summary: RunSummary = {
      tests: modules.flatMap(outcomesOf),
      files: modules.map((module) => ({ file: module.relativeModuleId, durationMs: module.diagnostic().duration })),
      errors: [...modules.flatMap(errorsOf), ...unhandled.map((error) => `outside any test: ${error.message}`)],
    };
    writeFileSync(target, JSON.stringify(summary));
  }
}
