/** PostgreSQL's own check of a restored base backup, before anything starts on it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../failures.ts';

const run = promisify(execFile);
const OUTPUT_LIMIT_BYTES = 1024 * 1024;

/**
 * Reads every file from the disk again, and parses the log. `not there`: the tool isn't installed; then what was compared
 * while unpacking has to do. Throws CheckFailed with what the tool says.
 */
export async function runVerifyBackup(
  programs: string,
  directory: string,
  signal: AbortSignal,
): Promise<'ok' | 'not there'> {
  const program = join(programs, 'pg_verifybackup');
  if (!existsSync(program)) return 'not there';
  try {
    await run(program, ['--quiet', directory], {
      signal,
      cwd: '/',
      maxBuffer: OUTPUT_LIMIT_BYTES,
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    return 'ok';
  } catch (error) {
    signal.throwIfAborted();
    const said = (error as { stderr?: string }).stderr?.trim().split('\n').slice(0, 6).join('; ');
    throw new HoldfastError('CheckFailed', `pg_verifybackup refuses the restored cluster: ${said ?? String(error)}`, {
      cause: error,
    });
  }
}
