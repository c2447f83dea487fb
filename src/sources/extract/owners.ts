/** Owner, mode, extended attributes and times of what was unpacked, in the order in which one does not undo another. */
import { fchmodSync, fchownSync, chmodSync, lchownSync, lutimesSync, futimesSync } from 'node:fs';
import type { ByteString } from '../byte-string.ts';
import { bytesOf, pathArgument } from '../byte-string.ts';
import { errorCode } from '../io-errors.ts';
import { setModifiedTime, setXattr } from '../system-calls.ts';
import type { TarEntry } from './tar-format.ts';
import { shown } from './tar-format.ts';

export type Warn = (kind: string, example: string) => void;

export interface Privileges {
  readonly uid: number;
  readonly gid: number;
  /** May give files to others. */
  readonly canChown: boolean;
  /** The system calls beyond Node's are there: xattrs, nanoseconds, nodes. */
  readonly calls: boolean;
}

type Facts = Pick<TarEntry, 'type' | 'path' | 'mode' | 'uid' | 'gid' | 'mtimeNs' | 'xattrs'>;

/** For an open file that was created with `createdMode`. */
export function finishFile(
  fd: number,
  path: ByteString,
  entry: Facts,
  createdMode: number,
  by: Privileges,
  warn: Warn,
): void {
  const foreign = entry.uid !== by.uid || entry.gid !== by.gid;
  if (foreign && by.canChown) fchownSync(fd, entry.uid, entry.gid);
  else if (foreign) warn(OWNERS, shown(entry.path));
  // Giving a file away clears its capabilities, so they come after; an ACL changes the mode, so that comes after.
  setXattrs(path, entry, by, warn);
  if (foreign || entry.xattrs.length > 0 || entry.mode !== createdMode) fchmodSync(fd, safeMode(entry, by));
  if (by.calls) setModifiedTime(fd, entry.mtimeNs);
  else futimesSync(fd, secondsOf(entry), secondsOf(entry));
}

/** For a directory, a link, a fifo or a device. */
export function finishPath(path: ByteString, entry: Facts, by: Privileges, warn: Warn): void {
  const argument = pathArgument(path);
  if (by.canChown) lchownSync(argument, entry.uid, entry.gid);
  else if (entry.uid !== by.uid || entry.gid !== by.gid) warn(OWNERS, shown(entry.path));
  setXattrs(path, entry, by, warn);
  if (entry.type !== 'symlink') chmodSync(argument, safeMode(entry, by));
  if (by.calls) setModifiedTime(argument, entry.mtimeNs);
  else lutimesSync(argument, secondsOf(entry), secondsOf(entry));
}

const OWNERS = 'owners were not restored: only root can give files to others';

/** Rights to act as the owner mean nothing good when the owner is another one than it was. */
function safeMode(entry: Facts, by: Privileges): number {
  if (by.canChown || (entry.uid === by.uid && entry.gid === by.gid)) return entry.mode;
  return entry.type === 'directory' ? entry.mode : entry.mode & 0o1777;
}

function secondsOf(entry: Facts): number {
  return Number(entry.mtimeNs) / 1e9;
}

function setXattrs(path: ByteString, entry: Facts, by: Privileges, warn: Warn): void {
  for (const { name, value } of entry.xattrs) {
    if (!by.calls) {
      warn('extended attributes were not restored, because the C library could not be called', shown(entry.path));
      return;
    }
    try {
      setXattr(pathArgument(path), bytesOf(name), bytesOf(value));
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'ENOTSUP' && code !== 'EPERM' && code !== 'EACCES') throw error;
      const why = code === 'ENOTSUP' ? 'the filesystem does not have them' : 'the user may not set them';
      warn(`extended attributes were not restored: ${why}`, `${shown(name)} of ${shown(entry.path)}`);
    }
  }
}
