/** The directory that is unpacked into: opened, emptied of what it would hand down, synced. */
import { closeSync, constants, fchmodSync, fchownSync, fsyncSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { HoldfastError } from '../../failures.ts';
import { ACL_KEYWORDS } from '../acl.ts';
import type { ByteString } from '../byte-string.ts';
import { pathArgument } from '../byte-string.ts';
import { failureOf } from '../io-errors.ts';
import { removeXattr } from '../system-calls.ts';
import type { Privileges } from './owners.ts';

export function syncPath(path: ByteString): void {
  const fd = openSync(pathArgument(path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** process.umask() can only be asked by setting it, for all threads. Unknown: every mode is set in full. */
export function readUmask(): number {
  const found = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return found?.[1] === undefined ? 0o777 : Number.parseInt(found[1], 8);
}

/**
 * What a directory hands down to all that is made in it (its group, default ACLs) comes from where the target happens
 * to lie, not from the archive. Closed to others until the archive says otherwise.
 */
export function makePlain(rootFd: number, root: string, by: Privileges): void {
  try {
    fchownSync(rootFd, by.uid, by.gid);
    fchmodSync(rootFd, 0o700);
    if (!by.calls) return;
    for (const name of Object.keys(ACL_KEYWORDS)) removeXattr(`${root}/.`, name);
  } catch (error) {
    throw failureOf(error, 'take over the target');
  }
}

export function openTarget(target: string | Buffer): number {
  const name = target.toString();
  try {
    const fd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    if (readdirSync(target).length === 0) return fd;
    closeSync(fd);
  } catch (error) {
    throw failureOf(error, `open ${name}`, 'SourceMissing');
  }
  throw new HoldfastError('TargetNotEmpty', `The target ${name} is not empty`);
}
