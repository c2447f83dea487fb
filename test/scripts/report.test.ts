import { describe, expect, it } from 'vitest';
import { reportLines, totalsOf } from '../../scripts/test/report.ts';
import type { RunSummary, TestOutcome } from '../../scripts/test/reporter.ts';
import { accountFor } from '../../scripts/test/vitest.ts';

const test = (name: string, state: TestOutcome['state'], retries = 0): TestOutcome => ({
  file: 'test/a.test.ts',
  name,
  state,
  durationMs: 1,
  retries,
  ...(state === 'failed' || retries > 0 ? { error: `${name} broke\nat line 3` } : {}),
});
const run = (tests: TestOutcome[], errors: string[] = []): RunSummary => ({
  tests,
  errors,
  files: [{ file: 'test/a.test.ts', durationMs: 1500 }],
});

describe('what a test run came to', () => {
  it('tests, static checks and errors outside tests: each counts once, the last line says so', () => {
    const checks = [
      { name: 'types', ok: true },
      { name: 'lint', ok: false },
    ];
    const runs = [run([test('one', 'passed'), test('two', 'failed'), test('three', 'skipped')], ['a hook failed'])];
    expect(totalsOf(checks, runs)).toEqual({ passed: 2, failed: 3, skipped: 1 });
    const lines = reportLines(checks, runs);
    expect(lines.at(-1)).toBe('2 passed, 3 failed');
    expect(lines).toContain('  test/a.test.ts: two: two broke');
    expect(lines).toContain('  a hook failed');
    expect(lines).toContain('  lint');
  });

  it('nothing ran: a failure, also when the static checks pass', () => {
    expect(totalsOf([], [run([])])).toMatchObject({ passed: 0, failed: 1 });
    expect(totalsOf([{ name: 'types', ok: true }], [run([test('one', 'skipped')])])).toMatchObject({ failed: 1 });
  });

  it('a second try that passed: counted as passed and listed with its first error', () => {
    const lines = reportLines([], [run([test('shaky', 'passed', 1)])]);
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
    expect(lines).toContain('  test/a.test.ts: shaky (first: shaky broke)');
  });

  it('Vitest ended without a result, or failed for no named reason: an error; a reason named: none added', () => {
    expect(accountFor(undefined, 0, 'unit').errors).toEqual(['the unit tests ended without a result (exit code 0)']);
    expect(accountFor(run([test('one', 'passed')]), 1, 'unit').errors).toHaveLength(1);
    expect(accountFor(run([test('one', 'failed')]), 1, 'unit').errors).toEqual([]);
    expect(accountFor(run([test('one', 'passed')]), 0, 'unit').errors).toEqual([]);
  });
});
