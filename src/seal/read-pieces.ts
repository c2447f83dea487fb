/** Fills a buffer with the pieces of a recipe, inside a thread: synchronous, one open file at a time. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { HoldfastError } from '../failures.ts';
import { unpackRecipe } from './recipe-wire.ts';
import type { PackedRange } from './recipe-wire.ts';

// O_NONBLOCK: a file that became a FIFO must not hang the thread; it means nothing for regular files.
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** The file is gone, or is no longer a plain file: that is a change, not a failure. */
const CHANGED_CODES = new Set(['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO', 'EISDIR', 'ENODEV', 'ESPIPE', 'ESTALE']);

/**
 * Fills `target` exactly; returns the paths that were not as expected (their missing bytes are zeros). Throws
 * PermissionDenied, SourceCorrupt (the disk does not give the bytes) and Internal.
 */
export function readPieces(packed: Uint8Array, target: Buffer): string[] {
  const changed: string[] = [];
  let at = 0;
  unpackRecipe(packed, {
    bytes(view) {
      roomFor(target, at, view.length);
      target.set(view, at);
      at += view.length;
    },
    range(path, range) {
      roomFor(target, at, range.length);
      if (!readRange(path, range, target, at)) changed.push(path.toString('utf8'));
      at += range.length;
    },
  });
  if (at !== target.length) throw lengthMismatch(at, target.length);
  return changed;
}

/** True when the file was as expected. */
function readRange(path: Buffer, range: PackedRange, target: Buffer, at: number): boolean {
  let got = 0;
  let same = false;
  let fd: number | undefined;
  try {
    fd = openSync(path, READ_FLAGS);
    got = readFully(fd, range, target, at);
    // After reading, so that a change while reading shows as well.
    same = asExpected(fd, range);
  } catch (cause) {
    if (!isChange(cause)) throw readFailure(cause, path);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  if (got < range.length) target.fill(0, at + got, at + range.length);
  return same && got === range.length;
}

function readFully(fd: number, range: PackedRange, target: Buffer, at: number): number {
  let got = 0;
  while (got < range.length) {
    const count = readSync(fd, target, at + got, range.length - got, range.offset + got);
    if (count === 0) break;
    got += count;
  }
  return got;
}

function asExpected(fd: number, range: PackedRange): boolean {
  const stat = fstatSync(fd, { bigint: true });
  return (
    stat.isFile() && stat.ino === range.inode && stat.mtimeNs === range.mtimeNs && stat.size === BigInt(range.sizeBytes)
  );
}

function isChange(cause: unknown): boolean {
  const code = errorCode(cause);
  return code !== undefined && CHANGED_CODES.has(code);
}

function readFailure(cause: unknown, path: Buffer): HoldfastError {
  const code = errorCode(cause);
  const name = path.toString('utf8');
  if (code === 'EACCES' || code === 'EPERM') {
    return new HoldfastError('PermissionDenied', `${name} may not be read by this user (${code}).`, { cause });
  }
  if (code === 'EIO' || code === 'EUCLEAN') {
    return new HoldfastError('SourceCorrupt', `${name} cannot be read: the disk answers ${code}.`, { cause });
  }
  return new HoldfastError('Internal', `${name} cannot be read (${code ?? String(cause)}).`, { cause });
}

function errorCode(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

function roomFor(target: Buffer, at: number, length: number): void {
  if (at + length > target.length) throw lengthMismatch(at + length, target.length);
}

function lengthMismatch(pieces: number, recipe: number): HoldfastError {
  return new HoldfastError('Internal', `A chunk's pieces have ${pieces} bytes or more, its recipe says ${recipe}.`);
}
