/**
 * The calls of a filesystem that a store in a directory makes, with what network filesystems do not promise made good: an
 * answer that was lost is found out about, and a handle that went stale is had anew. (open(2), link(2), nfs(5))
 */
import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { link, lstat, open, rename, unlink, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import { errorCode, isMissing } from './directory-errors.ts';
import type { PutOutcome } from './store.ts';
import { syncFilesystem } from './sync-filesystem.ts';

/** As node:fs/promises has them; tests put faults in between. */
export interface FileCalls {
  readonly link: (from: string, to: string) => Promise<void>;
  readonly rename: (from: string, to: string) => Promise<void>;
  readonly lstat: (path: string) => Promise<BigIntStats>;
  readonly unlink: (path: string) => Promise<void>;
  readonly writeFile: typeof writeFile;
  readonly open: typeof open;
  /** Everything written to the filesystem of a path is on its disk when it resolves. */
  readonly syncFilesystem: (path: string) => Promise<void>;
}

export const FILE_CALLS: FileCalls = {
  link,
  rename,
  lstat: (path) => lstat(path, { bigint: true }),
  unlink,
  writeFile,
  open,
  syncFilesystem,
};

/** Objects are a few MiB; a file of more is none of ours, and reading it whole would fill the memory. */
const MAX_OBJECT_BYTES = 256 * 1024 * 1024;
const STALE_ATTEMPTS = 4;
const STALE_PAUSE_MS = 50;

/**
 * Runs `action` again when a server has forgotten what a name or a handle stood for: looked up anew it is there again, or
 * it is really gone. `forget` drops what was known of directories.
 */
export async function unlessStale<T>(action: () => Promise<T>, forget: () => void = () => undefined): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action();
    } catch (cause) {
      if (errorCode(cause) !== 'ESTALE' || attempt >= STALE_ATTEMPTS) throw cause;
    }
    forget();
    await delay(STALE_PAUSE_MS * attempt);
  }
}

/**
 * Gives the finished file its name. link(2) fails when the name is taken, so of several writers exactly one wins. Over NFS
 * the answer may be lost and the request made again by the kernel: then it fails, though it was this link that was made.
 */
export async function publish(
  calls: FileCalls,
  temporary: string,
  target: string,
  createOnly: boolean,
): Promise<PutOutcome> {
  if (!createOnly) {
    await replace(calls, temporary, target);
    return 'written';
  }
  try {
    await calls.link(temporary, target);
    return 'written';
  } catch (cause) {
    if (await isSameFile(calls, temporary, target)) return 'written';
    if (errorCode(cause) === 'EEXIST') return 'exists';
    if (errorCode(cause) === 'ENOTSUP' || errorCode(cause) === 'EPERM') throw noLinks(target, cause);
    throw cause;
  }
}

/** The same for rename(2): made again it finds nothing to rename. */
async function replace(calls: FileCalls, temporary: string, target: string): Promise<void> {
  const own = await calls.lstat(temporary);
  try {
    await calls.rename(temporary, target);
  } catch (cause) {
    const there = errorCode(cause) === 'ENOENT' ? await lstatOrMissing(calls, target) : undefined;
    if (there?.ino !== own.ino || there.dev !== own.dev) throw cause;
  }
}

async function isSameFile(calls: FileCalls, one: string, other: string): Promise<boolean> {
  const [a, b] = [await lstatOrMissing(calls, one), await lstatOrMissing(calls, other)];
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

async function lstatOrMissing(calls: FileCalls, path: string): Promise<BigIntStats | undefined> {
  try {
    return await calls.lstat(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
}

function noLinks(target: string, cause: unknown): HoldfastError {
  return new HoldfastError('StoreUnfit', `The filesystem of ${target} has no hard links, which create-only needs.`, {
    cause,
    hint: 'Use a filesystem with hard links (ext4, XFS, Btrfs, ZFS, NFS), or another kind of store.',
  });
}

export async function unlinkIfThere(calls: FileCalls, path: string): Promise<void> {
  try {
    await calls.unlink(path);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
  }
}

export async function readObject(calls: FileCalls, path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const file = await calls.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_OBJECT_BYTES) {
      throw new HoldfastError('ObjectCorrupt', `${path} is not an object: ${stat.size} bytes, or no plain file.`);
    }
    const bytes = Buffer.allocUnsafeSlow(stat.size);
    let got = 0;
    while (got < bytes.length) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(bytes, got, bytes.length - got, got);
      if (bytesRead === 0) break;
      got += bytesRead;
    }
    return got === bytes.length ? bytes : bytes.subarray(0, got);
  } finally {
    await file.close();
  }
}
