/** A tree with everything that a backup can get wrong, and what is to be compared afterwards. */
import { createCipheriv, createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  ftruncateSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aclValue } from '../../src/sources/acl.ts';
import { makeNode, readXattrs, setModifiedTime, setXattr } from '../../src/sources/system-calls.ts';

export const isRoot = process.geteuid?.() === 0;

export function scratchDirectory(name: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Bytes that depend on the seed only and do not compress. */
export function noise(bytes: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

const ODD_NAMES = ['with space', 'new\nline', 'quote"\'', '-dash', 'ümläut', '*', 'back\\slash', 'n'.repeat(255)];
const NOT_UTF8 = Buffer.from([0x62, 0xff, 0xfe, 0x64]);

export function makeSampleTree(root: string): void {
  for (const directory of ['a/b/empty', 'deep', 'odd', 'closed', 'many']) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  writeFileSync(join(root, 'a/one'), 'one\n');
  writeFileSync(join(root, 'a/nothing'), '');
  linkSync(join(root, 'a/one'), join(root, 'a/b/one-again'));
  linkSync(join(root, 'a/one'), join(root, 'zz-one-more'));
  symlinkSync('../one', join(root, 'a/b/up'));
  symlinkSync('/etc/passwd', join(root, 'outside'));
  symlinkSync('x'.repeat(300), join(root, 'long-link'));
  for (const name of ODD_NAMES) writeFileSync(join(root, 'odd', name), name);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/odd/`), NOT_UTF8]), 'bytes');
  // Longer than ustar's 256 and than pax's first line.
  const deep = ['deep', ...Array.from({ length: 12 }, (_, index) => `${index}`.padEnd(60, '-'))].join('/');
  mkdirSync(join(root, deep), { recursive: true });
  writeFileSync(join(root, deep, 'bottom'), 'bottom');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/${deep}/`), NOT_UTF8]), 'bytes below');
  for (let index = 0; index < 300; index += 1) {
    writeFileSync(join(root, 'many', `f${index}`), noise((index * 37) % 9000, `many ${index}`));
  }
  writeFileSync(join(root, 'large'), noise(2_500_001, 'large'));
  writeFileSync(join(root, 'a/exactly-1-mib'), noise(1024 * 1024, 'mib'));
  makeSparse(join(root, 'sparse'), 9_000_000, [
    [0, 'start'],
    [4_000_123, 'middle'],
  ]);
  makeSparse(join(root, 'all-hole'), 200_000, []);
  chmodSync(join(root, 'closed'), 0o700);
  chmodSync(join(root, 'a/nothing'), 0o4511);
  makeNode(join(root, 'fifo'), 0o010644, 0n);
  const strange = join(root, 'odd', '*');
  setXattr(strange, 'user.note', noise(3000, 'xattr'));
  setXattr(strange, 'user.equals=sign%', Buffer.from('=\n='));
  setXattr(join(root, 'many'), 'user.of-directory', Buffer.alloc(0));
  setXattr(
    join(root, 'many'),
    'system.posix_acl_default',
    acl('user::rwx,group::r-x,group:55:r-x,mask::r-x,other::---'),
  );
  setXattr(
    join(root, 'many/f7'),
    'system.posix_acl_access',
    acl('user::rw-,user:1234:rw-,group::r--,mask::rw-,other::---'),
  );
  if (isRoot) makeRootOnly(root);
  makeTimes(root);
}

function makeRootOnly(root: string): void {
  chownSync(join(root, 'a/one'), 1234, 4321);
  chownSync(join(root, 'closed'), 3_000_000, 3_000_001);
  makeNode(join(root, 'null'), 0o020640, 0x103n);
  // cap_net_raw, permitted and effective (linux/capability.h, version 2).
  writeFileSync(join(root, 'tool'), '#!/bin/sh\n', { mode: 0o755 });
  setXattr(join(root, 'tool'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
}

function makeTimes(root: string): void {
  setModifiedTime(join(root, 'a/one'), 1_700_000_000_123_456_789n);
  setModifiedTime(join(root, 'a/nothing'), -315_532_800_500_000_000n);
  utimesSync(join(root, 'large'), 1_600_000_000, 1_600_000_000);
  lutimesSync(join(root, 'outside'), 1_500_000_000, 1_500_000_000);
  setModifiedTime(join(root, 'many'), 1_650_000_000_000_000_001n);
  setModifiedTime(join(root, 'deep'), 1_650_000_000_000_000_002n);
}

function acl(text: string): Buffer {
  return Buffer.from(aclValue(text) ?? '', 'latin1');
}

function makeSparse(path: string, bytes: number, parts: readonly (readonly [number, string])[]): void {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, bytes);
  for (const [offset, text] of parts) writeSync(fd, text, offset);
  closeSync(fd);
}

/** Everything that must be equal, one line for each entry; `.` is the root itself. */
export function treeFacts(root: string): string[] {
  const lines: string[] = [];
  const visit = (path: Buffer, relative: string): void => {
    lines.push(factsOf(path, relative));
    if (!lstatSync(path).isDirectory()) return;
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort((a, b) => Buffer.compare(a, b))) {
      visit(Buffer.concat([path, Buffer.from('/'), name]), `${relative}/${name.toString('latin1')}`);
    }
  };
  visit(Buffer.from(root), '.');
  return lines;
}

function factsOf(path: Buffer, relative: string): string {
  const stats = lstatSync(path, { bigint: true });
  const contents = stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16) : '';
  const link = stats.isSymbolicLink() ? readlinkSync(path) : '';
  const xattrs = readXattrs(path).map(({ name, value }) => `${name.toString()}:${value.toString('hex')}`);
  const size = stats.isDirectory() ? 0n : stats.size;
  const links = stats.isDirectory() ? 0n : stats.nlink;
  const facts = [stats.mode.toString(8), stats.uid, stats.gid, size, stats.mtimeNs, links, stats.rdev, link, contents];
  return [JSON.stringify(relative), ...facts, ...xattrs].join(' ');
}

/** Bytes on the disk. */
export function allocatedBytes(path: string): number {
  return lstatSync(path).blocks * 512;
}
