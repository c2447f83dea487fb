/**
 * Names of a tree that others write to, reached through directories that are held open one inside the other, so that a
 * link somebody puts in the way is met and never followed.
 */
import { closeSync, constants, linkSync, lstatSync, openSync, renameSync, unlinkSync, type BigIntStats } from 'node:fs';
import { pathArgument, type ByteString } from '../byte-string.ts';
import { parentOf } from '../extract/safe-paths.ts';
import { errorCode, isMissing } from '../io-errors.ts';
import { exchangeNames, renameToNew, syncFilesystem } from '../system-calls.ts';
import type { FilePrint } from './files.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export class HeldTree {
  private readonly root: ByteString;
  /** Of the directory that was asked for last: names come sorted by their directories. */
  private last: { readonly path: ByteString; readonly fd: number } | undefined;

  constructor(root: ByteString) {
    this.root = root;
  }

  /**
   * The name as a path that leads through no link. Throws the system's ENOENT, ENOTDIR or ELOOP when what is above it is
   * not there or no directory. Valid until the next call.
   */
  at(path: ByteString): string | Buffer {
    if (path === '') return pathArgument(this.root);
    const above = parentOf(path);
    const name = above === '' ? path : path.slice(above.length + 1);
    return pathArgument(`/proc/self/fd/${this.directory(above)}/${name}`);
  }

  /** Undefined when nothing has the name, or when what is above it is no directory. */
  look(path: ByteString): BigIntStats | undefined {
    try {
      return lstatSync(this.at(path), { bigint: true });
    } catch (error) {
      if (isMissing(error) || errorCode(error) === 'ELOOP') return undefined;
      throw error;
    }
  }

  /** All that was written to its filesystem is durable. */
  sync(): void {
    syncFilesystem(this.directory(''));
  }

  /** Closes what is held; the next call opens anew. */
  forget(): void {
    if (this.last !== undefined) closeSync(this.last.fd);
    this.last = undefined;
  }

  private directory(path: ByteString): number {
    if (this.last?.path === path) return this.last.fd;
    let fd = openSync(pathArgument(this.root), DIRECTORY);
    try {
      for (const part of path === '' ? [] : path.split('/')) {
        const inner = openSync(pathArgument(`/proc/self/fd/${fd}/${part}`), DIRECTORY);
        closeSync(fd);
        fd = inner;
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.forget();
    this.last = { path, fd };
    return fd;
  }
}

/** Gives `from` a name that nothing has. False when something has it: then nothing has changed. */
export function placeNew(from: string | Buffer, to: string | Buffer, isDirectory: boolean): boolean {
  try {
    if (renameToNew(from, to)) return true;
    // Without such a call: a link is made only where nothing is, and no directory takes the place of one that is not empty.
    if (isDirectory) renameSync(from, to);
    else {
      linkSync(from, to);
      unlinkSync(from);
    }
    return true;
  } catch (error) {
    if (['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}

/**
 * What two trees have under one name changes places in one step. False when what is live is not, or in that very moment
 * is no longer, as `seen`: then it is the owner's, and stays. Throws where the filesystem has no such step.
 */
export function exchangeSeen(live: HeldTree, other: HeldTree, path: ByteString, seen: FilePrint): boolean {
  const now = live.look(path);
  if (now === undefined || !isPrintOf(seen, now)) return false;
  if (!exchangeNames(other.at(path), live.at(path))) {
    throw new Error('this filesystem does not exchange two names in one step');
  }
  const out = other.look(path);
  if (out !== undefined && isPrintOf(lasting(seen), out)) return true;
  exchangeNames(other.at(path), live.at(path));
  return false;
}

export function printOf(stats: BigIntStats): FilePrint {
  return {
    inode: String(stats.ino),
    sizeBytes: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
  };
}

/** The same file with the same contents, as far as its inode tells. */
export function isPrintOf(print: FilePrint, stats: BigIntStats): boolean {
  const now = printOf(stats);
  const same = now.inode === print.inode && now.sizeBytes === print.sizeBytes && now.mtimeNs === print.mtimeNs;
  return same && (print.ctimeNs === undefined || print.ctimeNs === now.ctimeNs);
}

/** Without the time that a rename changes. */
export function lasting({ inode, sizeBytes, mtimeNs }: FilePrint): FilePrint {
  return { inode, sizeBytes, mtimeNs };
}
