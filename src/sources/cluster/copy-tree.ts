/** A cluster from one mount to another, as it is: owners, modes, times, holes. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HoldfastError } from '../../failures.ts';

const run = promisify(execFile);
const OUTPUT_LIMIT_BYTES = 1024 * 1024;
const LINES = 3;

/** By blocks that are shared where the filesystem can. Synced. Throws DiskFull, Unhealthy with what cp said. */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  const options = { cwd: '/', signal, maxBuffer: OUTPUT_LIMIT_BYTES, env: { PATH: process.env['PATH'], LC_ALL: 'C' } };
  try {
    await run('cp', ['-a', '--reflink=auto', '--sparse=auto', '--', from, to], options);
    await run('sync', ['--file-system', to], options);
  } catch (error) {
    signal.throwIfAborted();
    const said = (error as { stderr?: string }).stderr?.trim().split('\n').slice(0, LINES).join('; ') ?? String(error);
    const full = said.includes('No space left on device');
    throw new HoldfastError(full ? 'DiskFull' : 'Unhealthy', `Could not copy ${from} to ${to}: ${said}`, {
      cause: error,
    });
  }
}
