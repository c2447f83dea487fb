/** postmaster.pid of a data directory (src/include/utils/pidfile.h), and whether its process still works there. */
import { readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** Its lines: process, directory, start, port, socket directory, address, shared memory, state. Empty without one. */
export async function pidFile(dataDirectory: string): Promise<string[]> {
  try {
    return (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The eighth line says so. */
export function saysReady(lines: readonly string[]): boolean {
  return lines[7]?.trim() === 'ready';
}

/** The postmaster of this data directory, when one runs: the kernel says whose working directory it is. */
export async function postmasterOf(dataDirectory: string): Promise<number | undefined> {
  const pid = Number((await pidFile(dataDirectory))[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(dataDirectory)) ? pid : undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
