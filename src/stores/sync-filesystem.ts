/** Everything written to a filesystem, made durable at once: one syncfs(2) instead of an fsync for every object. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the program says of an error's number, in English. (errno(3)) */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/No space left on device/, 'ENOSPC'],
  [/Disk quota exceeded/, 'EDQUOT'],
  [/Stale (NFS )?file handle/, 'ESTALE'],
  [/Input\/output error/, 'EIO'],
];

/** Resolves when all that was written to the filesystem of `path` is on its disk. Rejects with the disk's code. */
export async function syncFilesystem(path: string): Promise<void> {
  try {
    // The `sync` program of coreutils, because Node has no syncfs; in a child, because it may take long.
    await run('sync', ['-f', '--', path], { env: { ...process.env, LC_ALL: 'C' } });
  } catch (cause) {
    const code = codeIn(cause instanceof Error ? cause.message : String(cause));
    throw code === undefined ? cause : Object.assign(new Error(`sync: ${code}`, { cause }), { code });
  }
}

/** Of the errors that a disk gives only when it is asked to keep what it took before. */
export function codeIn(said: string): string | undefined {
  return WORDS.find(([words]) => words.test(said))?.[1];
}
