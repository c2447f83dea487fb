/** The words at the end of a test run; the last line is the one that programs read. */
import type { RunSummary, TestOutcome } from './reporter.ts';

export interface StaticCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What a failing one printed. */
  readonly findings?: string;
}

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Every test, every static check and every error outside a test counts once. A run of nothing is a failure. */
export function totalsOf(checks: readonly StaticCheck[], runs: readonly RunSummary[]): Totals {
  const tests = runs.flatMap((run) => run.tests);
  const errors = runs.flatMap((run) => run.errors);
  const count = (state: TestOutcome['state']): number => tests.filter((test) => test.state === state).length;
  const passedChecks = checks.filter((check) => check.ok).length;
  const ranNothing = count('passed') + count('failed') === 0 && errors.length === 0;
  return {
    passed: count('passed') + passedChecks,
    failed: count('failed') + (checks.length - passedChecks) + errors.length + (ranNothing ? 1 : 0),
    skipped: count('skipped'),
  };
}

const SLOWEST_SHOWN = 15;

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

function firstLine(text: string | undefined): string {
  return text?.split('\n')[0] ?? '';
}

/** The whole report as lines. */
export function reportLines(checks: readonly StaticCheck[], runs: readonly RunSummary[]): string[] {
  const tests = runs.flatMap((run) => run.tests);
  const slowest = runs
    .flatMap((run) => run.files)
    .sort((one, other) => other.durationMs - one.durationMs)
    .slice(0, SLOWEST_SHOWN);
  const totals = totalsOf(checks, runs);
  return [
    ...checks.flatMap(({ name, findings }) => (findings === undefined ? [] : section(name, findings.split('\n')))),
    ...section(
      'Slowest files',
      slowest.map(({ file, durationMs }) => `${seconds(durationMs).padStart(8)}  ${file}`),
    ),
    ...section(
      'Skipped',
      tests.filter(({ state }) => state === 'skipped').map(({ file, name }) => `${file}: ${name}`),
    ),
    ...section(
      'Passed only at a second try',
      tests
        .filter(({ state, retries }) => state === 'passed' && retries > 0)
        .map(({ file, name, error }) => `${file}: ${name} (first: ${firstLine(error)})`),
    ),
    ...section('Failed', [
      ...checks.filter(({ ok }) => !ok).map(({ name }) => name),
      ...runs.flatMap((run) => run.errors).map(firstLine),
      ...tests
        .filter(({ state }) => state === 'failed')
        .map(({ file, name, error }) => `${file}: ${name}: ${firstLine(error)}`),
    ]),
    '',
    `${totals.passed} passed, ${totals.failed} failed`,
  ];
}
