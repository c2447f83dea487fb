/** Scratch copies of databases: they hold live data in the clear, so they go whatever happens. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const inUse = new Set<string>();
let made = 0;

/**
 * Gives `use` the path of a file that is not there yet, and removes it and all that SQLite puts beside it afterwards.
 * What processes that were killed left of the same component is removed first.
 */
export async function withScratch<T>(
  stateDirectory: string,
  component: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const directory = join(stateDirectory, 'scratch');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await removeLeft(directory, component);
  made += 1;
  const name = `${component}.${process.pid}-${made}.sqlite`;
  inUse.add(name);
  try {
    return await use(join(directory, name));
  } finally {
    await removeAll(directory, name);
    inUse.delete(name);
  }
}

async function removeLeft(directory: string, component: string): Promise<void> {
  for (const file of await readdir(directory)) {
    const found = /^(.+\.(\d+)-\d+\.sqlite)/.exec(file);
    const [, name = '', pid = ''] = found ?? [];
    if (!name.startsWith(`${component}.`) || inUse.has(name)) continue;
    if (Number(pid) === process.pid || !isAlive(Number(pid))) await rm(join(directory, file), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function removeAll(directory: string, name: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(join(directory, name + suffix), { force: true });
}
