/**
 * The Linux calls that Node.js has no name for: extended attributes, times in nanoseconds, device nodes, the atomic
 * exchange of two names, and the sync of one filesystem. They are reached through the C library of the process, so
 * they can be missing (another operating system, no binary for this processor); who needs one asks first.
 */
import koffi from 'koffi';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
/** For utimensat: leave this time as it is. */
const UTIME_OMIT = (1n << 30n) - 2n;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of linux/limits.h. */
const XATTR_LIST_BYTES = 64 * 1024;
const XATTR_VALUE_BYTES = 64 * 1024;

type PathLike = string | Buffer;

interface Calls {
  readonly llistxattr: (path: PathLike, list: Buffer, size: number) => number;
  readonly lgetxattr: (path: PathLike, name: PathLike, value: Buffer, size: number) => number;
  readonly lsetxattr: (path: PathLike, name: PathLike, value: Buffer, size: number, flags: number) => number;
  readonly lremovexattr: (path: PathLike, name: PathLike) => number;
  readonly utimensat: (directory: number, path: PathLike, times: Buffer, flags: number) => number;
  readonly futimens: (fd: number, times: Buffer) => number;
  readonly mknod: (path: PathLike, mode: number, device: bigint) => number;
  readonly renameat2: (fromDir: number, from: PathLike, toDir: number, to: PathLike, flags: number) => number;
  readonly syncfs: (fd: number) => number;
  readonly syncFileRange: (fd: number, offset: number, bytes: number, flags: number) => number;
}

function load(): Calls {
  if (process.platform !== 'linux') throw new Error(`the platform ${process.platform} is not supported`);
  const library = koffi.load(null);
  return {
    llistxattr: library.func('long llistxattr(const char *path, void *list, size_t size)'),
    lgetxattr: library.func('long lgetxattr(const char *path, const char *name, void *value, size_t size)'),
    lsetxattr: library.func(
      'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
    ),
    lremovexattr: library.func('int lremovexattr(const char *path, const char *name)'),
    utimensat: library.func('int utimensat(int dir, const char *path, const void *times, int flags)'),
    futimens: library.func('int futimens(int fd, const void *times)'),
    mknod: library.func('int mknod(const char *path, unsigned int mode, uint64_t dev)'),
    renameat2: library.func(
      'int renameat2(int fromDir, const char *from, int toDir, const char *to, unsigned int flags)',
    ),
    syncfs: library.func('int syncfs(int fd)'),
    syncFileRange: library.func('int sync_file_range(int fd, int64_t offset, int64_t nbytes, unsigned int flags)'),
  };
}

let loaded: { readonly calls: Calls } | { readonly why: string } | undefined;

function state(): { readonly calls: Calls } | { readonly why: string } {
  if (loaded === undefined) {
    try {
      loaded = { calls: load() };
    } catch (error) {
      loaded = { why: error instanceof Error ? error.message : String(error) };
    }
  }
  return loaded;
}

function calls(): Calls {
  const found = state();
  if ('calls' in found) return found.calls;
  throw new Error(`the C library can't be called: ${found.why}`);
}

/** Undefined when all calls of this file can be made; otherwise why not, for `doctor` and for warnings. */
export function systemCallsProblem(): string | undefined {
  const found = state();
  return 'why' in found ? found.why : undefined;
}

/** An error of the same shape as those of `node:fs`. */
export interface CallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

function callError(syscall: string, path: PathLike): CallError {
  const errno = koffi.errno();
  const code = getSystemErrorName(-errno);
  const error = new Error(`${code}: ${syscall} '${typeof path === 'string' ? path : path.toString()}'`);
  return Object.assign(error, { code, errno: -errno, syscall });
}

/** Buffers have no end mark of their own; the C library wants one. Strings get theirs on the way. */
function terminated(path: PathLike): PathLike {
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.of(0)]);
}

export interface Xattr {
  /** With its namespace, such as `user.note`. */
  readonly name: Buffer;
  readonly value: Buffer;
}

const listBuffer = Buffer.allocUnsafeSlow(XATTR_LIST_BYTES);
const valueBuffer = Buffer.allocUnsafeSlow(XATTR_VALUE_BYTES);

/**
 * The extended attributes of a file itself, never of what it links to, sorted by the bytes of their names; none where
 * the filesystem has none. POSIX ACLs and file capabilities are among them (`system.posix_acl_access`,
 * `security.capability`). Throws a CallError with the errno's name as code.
 */
export function readXattrs(path: PathLike): readonly Xattr[] {
  const { llistxattr } = calls();
  const target = terminated(path);
  const length = llistxattr(target, listBuffer, XATTR_LIST_BYTES);
  if (length === 0) return NO_XATTRS;
  if (length < 0) {
    if (koffi.errno() === constants.errno.ENOTSUP) return NO_XATTRS;
    throw callError('llistxattr', path);
  }
  return readValues(path, target, namesIn(Buffer.from(listBuffer.subarray(0, length))));
}

const NO_XATTRS: readonly Xattr[] = [];

function namesIn(list: Buffer): Buffer[] {
  const names: Buffer[] = [];
  let start = 0;
  for (let end = list.indexOf(0, start); end !== -1; end = list.indexOf(0, start)) {
    if (end > start) names.push(list.subarray(start, end));
    start = end + 1;
  }
  return names.sort((a, b) => Buffer.compare(a, b));
}

function readValues(path: PathLike, target: PathLike, names: readonly Buffer[]): Xattr[] {
  const found: Xattr[] = [];
  for (const name of names) {
    const length = calls().lgetxattr(target, terminated(name), valueBuffer, XATTR_VALUE_BYTES);
    if (length >= 0) found.push({ name, value: Buffer.from(valueBuffer.subarray(0, length)) });
    // Removed between the two calls, or listed by a security module that does not hand it out.
    else if (![constants.errno.ENODATA, constants.errno.ENOTSUP].includes(koffi.errno())) {
      throw callError(`lgetxattr ${name.toString()}`, path);
    }
  }
  return found;
}

/** Sets one extended attribute of the file itself. Repeating it changes nothing. Throws a CallError. */
export function setXattr(path: PathLike, name: PathLike, value: Buffer): void {
  if (calls().lsetxattr(terminated(path), terminated(name), value, value.length, 0) !== 0) {
    throw callError(`lsetxattr ${name.toString()}`, path);
  }
}

/** Removes one extended attribute of the file itself; false when there is none of that name. Throws a CallError. */
export function removeXattr(path: PathLike, name: PathLike): boolean {
  if (calls().lremovexattr(terminated(path), terminated(name)) === 0) return true;
  if ([constants.errno.ENODATA, constants.errno.ENOTSUP].includes(koffi.errno())) return false;
  throw callError(`lremovexattr ${name.toString()}`, path);
}

const timesBuffer = Buffer.alloc(32);
timesBuffer.writeBigInt64LE(UTIME_OMIT, 8);

/**
 * Sets the modification time of the file itself (a path) or of an open file (a descriptor), to the nanosecond; the
 * access time stays. Throws a CallError.
 */
export function setModifiedTime(file: PathLike | number, mtimeNs: bigint): void {
  const rest = ((mtimeNs % NS_PER_S) + NS_PER_S) % NS_PER_S;
  timesBuffer.writeBigInt64LE((mtimeNs - rest) / NS_PER_S, 16);
  timesBuffer.writeBigInt64LE(rest, 24);
  if (typeof file === 'number') {
    if (calls().futimens(file, timesBuffer) !== 0) throw callError('futimens', `file descriptor ${file}`);
  } else if (calls().utimensat(AT_FDCWD, terminated(file), timesBuffer, AT_SYMLINK_NOFOLLOW) !== 0) {
    throw callError('utimensat', file);
  }
}

const NS_PER_S = 1_000_000_000n;

/** Makes a fifo or a device node; `mode` carries the type bits. Throws a CallError. */
export function makeNode(path: PathLike, mode: number, device: bigint): void {
  if (calls().mknod(terminated(path), mode, device) !== 0) throw callError('mknod', path);
}

/**
 * Exchanges what two names stand for, in one step that a crash can't split. Both must exist on one filesystem. False
 * when the kernel or the filesystem can't do it (nothing has changed then). Throws a CallError for everything else.
 */
export function exchangeNames(one: PathLike, other: PathLike): boolean {
  return renamed(one, other, RENAME_EXCHANGE);
}

/**
 * Gives what is at `from` the name `to`, which nothing may have. False when the kernel or the filesystem can't do it
 * (nothing has changed then). Throws a CallError: EEXIST when something has that name.
 */
export function renameToNew(from: PathLike, to: PathLike): boolean {
  return renamed(from, to, RENAME_NOREPLACE);
}

function renamed(from: PathLike, to: PathLike, flags: number): boolean {
  if (systemCallsProblem() !== undefined) return false;
  if (calls().renameat2(AT_FDCWD, terminated(from), AT_FDCWD, terminated(to), flags) === 0) return true;
  const { EINVAL, ENOSYS, ENOTSUP } = constants.errno;
  if ([EINVAL, ENOSYS, ENOTSUP].includes(koffi.errno())) return false;
  throw callError('renameat2', from);
}

/** A buffer whose address is a multiple of `alignment`, a power of two, as reading and writing past the page cache needs. */
export function alignedBuffer(bytes: number, alignment: number): Buffer {
  const room = Buffer.allocUnsafeSlow(bytes + alignment);
  const over = Number(koffi.address(room) % BigInt(alignment));
  const start = (alignment - over) % alignment;
  return room.subarray(start, start + bytes);
}

/** Returns when all that was written to the filesystem of this open file is durable. Throws a CallError. */
export function syncFilesystem(fd: number): void {
  if (calls().syncfs(fd) !== 0) throw callError('syncfs', `file descriptor ${fd}`);
}

/** SYNC_FILE_RANGE_WRITE: begins to write and does not wait. */
const BEGIN_WRITING = 2;

/** Asks the kernel to begin writing a range of an open file out, so that a later sync finds less to do. Only advice. */
export function beginWritingOut(fd: number, offset: number, bytes: number): void {
  calls().syncFileRange(fd, offset, bytes, BEGIN_WRITING);
}
