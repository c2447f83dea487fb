/** The command line: `holdfast <command>`. Its process ends with 0, 1 (the answer is no) or 2 (it could not be told). */
import { enableCompileCache } from 'node:module';
import { CommanderError } from 'commander';
import { compileCacheDirectory } from './system/cache.ts';

// Stripped and compiled files are kept by Node between runs; without a place to keep them it only starts more slowly.
enableCompileCache(compileCacheDirectory());

const { createProgram } = await import('./cli/program.ts');

// A reader that closes the pipe early, such as `head`, is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has written its message to stderr. Help that was asked for is an answer; help for want of a command isn't.
  const asked = error.exitCode === 0;
  if (!asked && process.argv.includes('--json')) {
    const told = {
      code: 'BadInput',
      message: error.message,
      hint: '`--help` shows what is accepted.',
      waitingHelps: false,
      causes: [],
    };
    process.stdout.write(`${JSON.stringify({ ok: false, error: told }, null, 2)}\n`);
  }
  process.exitCode = asked ? 0 : 2;
}
