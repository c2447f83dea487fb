/** Types, lint rules and formatting of the whole tree; each counts as one result. */
import path from 'node:path';
import { runChild } from './child.ts';
import type { StaticCheck } from './report.ts';
import { ROOT } from './vitest.ts';

const PROGRAMS = [
  { name: 'types (tsc)', script: 'typescript/bin/tsc', args: ['--noEmit'] },
  { name: 'lint (eslint)', script: 'eslint/bin/eslint.js', args: ['.'] },
  { name: 'format (prettier)', script: 'prettier/bin/prettier.cjs', args: ['--check', '.'] },
] as const;

/**
 * Runs all of them beside each other and beside the tests, on the processor time that these leave. Whether one holds is
 * said when it is done; what it found is for the report, where nothing is printed between.
 */
export async function runStaticChecks(): Promise<StaticCheck[]> {
  return Promise.all(
    PROGRAMS.map(async ({ name, script, args }) => {
      const program = path.join(ROOT, 'node_modules', script);
      const options = { show: false, background: true, cwd: ROOT } as const;
      const { code, output } = await runChild(process.execPath, [program, ...args], options);
      const ok = code === 0;
      process.stdout.write(`${ok ? '✓' : '✗'} ${name}\n`);
      return { name, ok, ...(ok ? {} : { findings: output.trimEnd() }) };
    }),
  );
}
