/** Everything written to a filesystem, made durable at once: one syncfs(2) instead of an fsync for every object. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Resolves when all that was written to the filesystem of `path` is on its disk. Rejects when the disk says no. */
export async function syncFilesystem(path: string): Promise<void> {
  // The `sync` program of coreutils, because Node has no syncfs; in a child, because it may take long.
  await run('sync', ['-f', '--', path]);
}
