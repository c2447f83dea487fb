/** `npm run coverage`: writes docs/coverage.md. Exit code 1 when a row has neither a test nor a reason. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { coverageText, untrue } from './coverage/document.ts';
import { taggedTests } from './coverage/tests.ts';
import { runMain } from './setup.ts';

const ROOT = path.resolve(import.meta.dirname, '..');

function main(): Promise<number> {
  const tests = taggedTests(ROOT);
  const text = coverageText(tests);
  writeFileSync(path.join(ROOT, 'docs', 'coverage.md'), text);
  const problems = untrue(text, tests);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`docs/coverage.md: ${tests.length} tests\n`);
  return Promise.resolve(problems.length === 0 ? 0 : 1);
}

await runMain(main, 'Usage: npm run coverage');
