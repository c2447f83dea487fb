/** What a cluster's control file says of the server that wrote it (pg_controldata). */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../failures.ts';

const run = promisify(execFile);

/** A server may have been given more after the backup; what these cost is a few MiB of memory. */
const LEAST_PREPARED = 100;
const LEAST_LOCKS = 64;

/**
 * Settings without which recovery fails where transactions were prepared, or held many locks. Throws CheckFailed when the
 * control file can't be read.
 */
export async function roomForTransactions(
  programs: string,
  dataDirectory: string,
  signal: AbortSignal,
): Promise<Readonly<Record<'max_prepared_transactions' | 'max_locks_per_transaction', number>>> {
  const said = await controlData(programs, dataDirectory, signal);
  const setting = (name: string): number => Number(new RegExp(`^${name} setting: +(\\d+)$`, 'm').exec(said)?.[1] ?? 0);
  return {
    max_prepared_transactions: Math.max(LEAST_PREPARED, setting('max_prepared_xacts')),
    max_locks_per_transaction: Math.max(LEAST_LOCKS, setting('max_locks_per_xact')),
  };
}

async function controlData(programs: string, dataDirectory: string, signal: AbortSignal): Promise<string> {
  try {
    const options = { cwd: '/', signal, env: { PATH: process.env['PATH'], LC_ALL: 'C' } };
    return (await run(join(programs, 'pg_controldata'), ['-D', dataDirectory], options)).stdout;
  } catch (error) {
    signal.throwIfAborted();
    const said = (error as { stderr?: string }).stderr?.trim() ?? String(error);
    throw new HoldfastError('CheckFailed', `pg_controldata refuses ${dataDirectory}: ${said}`, { cause: error });
  }
}
