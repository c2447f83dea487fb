/** Scratch copies: what is judged is never what is live. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, realpath, rm, writeFile, readFile } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';

import { isAlive, ownIdentity, parseIdentity, printIdentity } from '../../docker/process-identity.ts';
import { HoldfastError } from '../../failures.ts';
import { failureOf, isMissing } from '../io-errors.ts';
import { runProgram } from './program.ts';

export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

const OWNER_FILE = '.owner';

/** An empty directory that is removed with its contents when it is disposed of; those of dead processes go too. */
export async function scratchDirectory(stateDirectory: string): Promise<Scratch> {
  const parent = join(stateDirectory, 'scratch');
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await removeOrphans(parent);
    const path = join(parent, randomBytes(6).toString('hex'));
    await mkdir(path, { mode: 0o700 });
    await writeFile(`${path}${OWNER_FILE}`, printIdentity(ownIdentity()));
    return {
      path,
      async [Symbol.asyncDispose]() {
        await rm(path, { recursive: true, force: true });
        await rm(`${path}${OWNER_FILE}`, { force: true });
      },
    };
  } catch (error) {
    throw failureOf(error, `make a scratch directory under ${parent}`);
  }
}

async function removeOrphans(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.endsWith(OWNER_FILE)) continue;
    const file = join(parent, name);
    const owner = parseIdentity(await readFile(file, 'utf8').catch(() => ''));
    if (owner === undefined || isAlive(owner)) continue;
    await rm(file.slice(0, -OWNER_FILE.length), { recursive: true, force: true });
    await rm(file, { force: true });
  }
}

/**
 * The real path of a regular file inside a directory. Data may be hostile: a path that leads out of the directory, by
 * its name or by a link, is refused with UnsafePath; a missing file is CheckFailed.
 */
export async function fileInside(directory: string, file: string): Promise<string> {
  const root = await realpath(directory);
  const wanted = resolve(root, file);
  if (isAbsolute(file) || !isInside(root, wanted)) {
    throw new HoldfastError('UnsafePath', `${file} lies outside what is checked`);
  }
  try {
    const real = await realpath(wanted);
    if (!isInside(root, real)) throw new HoldfastError('UnsafePath', `${file} is a link that leads out of its volume`);
    if (!(await lstat(real)).isFile()) throw new HoldfastError('CheckFailed', `${file} is not a regular file`);
    return real;
  } catch (error) {
    if (isMissing(error)) throw new HoldfastError('CheckFailed', `${file} is not there`, { cause: error });
    throw error;
  }
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Copies a file or a whole directory: sparse as it is, shared with the original where the filesystem can. */
export async function copyTo(source: string, target: string, signal: AbortSignal): Promise<void> {
  const command = ['cp', '--archive', '--reflink=auto', '--sparse=always', '--', source, target];
  const outcome = await runProgram(command, { timeoutMs: 24 * 3600 * 1000, signal });
  if (outcome.exitCode === 0) return;
  const full = /no space left|quota/i.test(outcome.output);
  throw new HoldfastError(full ? 'DiskFull' : 'Internal', `Could not copy ${source}: ${outcome.output.trim()}`);
}
