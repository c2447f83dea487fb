/** Small JSON files that are whole or absent after any crash. */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { HoldfastError } from '../failures.ts';
import { isAlive, ownIdentity, parseIdentity, printIdentity } from './process-identity.ts';

/**
 * Written beside, synced, renamed, and the directory synced: durable when this resolves. What a writer in this directory that
 * was killed left half-written is removed.
 */
export async function writeDurably(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await removeOfTheDead(dirname(path));
  const temporary = `${path}.${writerPart()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(value)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw asFailure(error, path);
  }
}

const WRITER = /\.([0-9a-f-]+:\d+:\d+)\.[0-9a-f]{12}\.(tmp|draft)$/;

/** For the name of what is being written: unique, and tells who writes it. */
export function writerPart(): string {
  return `${printIdentity(ownIdentity())}.${randomBytes(6).toString('hex')}`;
}

/** Removes what was being written here by processes that have ended since. */
export async function removeOfTheDead(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const writer = parseIdentity(WRITER.exec(name)?.[1] ?? '');
    if (writer !== undefined && !isAlive(writer)) await rm(join(directory, name), { force: true });
  }
}

/**
 * Removes what writers that died left half-written: of the file `of`, or all that was begun `olderThanMs` ago. One that still
 * writes fails, and writes again when it is repeated.
 */
export async function removeHalfWritten(
  directory: string,
  which: { readonly of: string } | { readonly olderThanMs: number },
): Promise<void> {
  for (const half of await listFiles(directory, '.tmp')) {
    const begunMs = statSync(half, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const meant = 'of' in which ? half.startsWith(`${which.of}.`) : Date.now() - begunMs >= which.olderThanMs;
    if (meant) await rm(half, { force: true });
  }
}

/** Gone for good when this resolves; absent already is no error. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true });
  try {
    await syncDirectory(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Undefined when there is none. A file that is no JSON throws Internal and is left for a person to look at. */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw asFailure(error, path);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HoldfastError('Internal', `${path} is not JSON`, { cause: error });
  }
}

/** Names of the whole files with this ending, sorted; none when the directory is missing. */
export async function listFiles(directory: string, ending: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith(ending))
      .sort()
      .map((name) => join(directory, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw asFailure(error, directory);
  }
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function asFailure(error: unknown, path: string): HoldfastError {
  const code = (error as NodeJS.ErrnoException).code;
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new HoldfastError('DiskFull', message, { cause: error });
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new HoldfastError('PermissionDenied', message, { cause: error });
  }
  return new HoldfastError('Internal', `${path}: ${message}`, { cause: error });
}
