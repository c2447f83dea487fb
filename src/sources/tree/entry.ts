/** One entry of a tree, and its compact form: the facts that decide every byte of its tar entry, in a fixed order. */
import type { ByteString } from '../byte-string.ts';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character' | 'block' | 'end';

const TYPES: readonly EntryType[] = ['file', 'directory', 'symlink', 'hardlink', 'fifo', 'character', 'block', 'end'];

export interface TreeEntry {
  /** `end` is the mark behind the last entry: the two zero blocks that close a tar. */
  readonly type: EntryType;
  /** Relative to the tree's root, without a slash at either end; `.` is the root itself. */
  readonly path: ByteString;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  readonly device: bigint;
  /** Of device nodes: which device they stand for. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Where a symbolic link points; for a hard link the path, in the tree, of the first name of the same file. */
  readonly link: ByteString;
  readonly xattrs: readonly { readonly name: ByteString; readonly value: ByteString }[];
}

const FIXED_BYTES = 63;

/** How many bytes `encodeEntry` writes. */
export function encodedBytes(entry: TreeEntry): number {
  let bytes = FIXED_BYTES + entry.path.length + entry.link.length;
  for (const { name, value } of entry.xattrs) bytes += 8 + name.length + value.length;
  return bytes;
}

/** Writes the entry at `offset` and returns the offset behind it. */
export function encodeEntry(entry: TreeEntry, into: Buffer, offset: number): number {
  let at = into.writeUInt8(TYPES.indexOf(entry.type), offset);
  at = into.writeUInt16LE(entry.mode, at);
  at = into.writeUInt32LE(entry.uid, at);
  at = into.writeUInt32LE(entry.gid, at);
  at = into.writeDoubleLE(entry.sizeBytes, at);
  at = into.writeBigInt64LE(entry.mtimeNs, at);
  at = into.writeBigInt64LE(entry.ctimeNs, at);
  at = into.writeBigUInt64LE(entry.inode, at);
  at = into.writeBigUInt64LE(entry.device, at);
  at = into.writeUInt16LE(entry.deviceMajor, at);
  at = into.writeUInt32LE(entry.deviceMinor, at);
  at = into.writeUInt16LE(entry.path.length, at);
  at = into.writeUInt16LE(entry.link.length, at);
  at = into.writeUInt16LE(entry.xattrs.length, at);
  at += into.write(entry.path, at, 'latin1');
  at += into.write(entry.link, at, 'latin1');
  for (const { name, value } of entry.xattrs) {
    at = into.writeUInt32LE(name.length, at);
    at = into.writeUInt32LE(value.length, at);
    at += into.write(name, at, 'latin1');
    at += into.write(value, at, 'latin1');
  }
  return at;
}

/** The entries that `encodeEntry` wrote one after another. */
export function* decodeEntries(records: Uint8Array): Generator<TreeEntry> {
  const bytes = Buffer.from(records.buffer, records.byteOffset, records.byteLength);
  for (let at = 0; at < bytes.length;) {
    const entry = decodeEntry(bytes, at);
    at += encodedBytes(entry);
    yield entry;
  }
}

function decodeEntry(bytes: Buffer, at: number): TreeEntry {
  const pathBytes = bytes.readUInt16LE(at + 57);
  const linkBytes = bytes.readUInt16LE(at + 59);
  const pathAt = at + FIXED_BYTES;
  const linkAt = pathAt + pathBytes;
  return {
    type: TYPES[bytes.readUInt8(at)] ?? 'end',
    mode: bytes.readUInt16LE(at + 1),
    uid: bytes.readUInt32LE(at + 3),
    gid: bytes.readUInt32LE(at + 7),
    sizeBytes: bytes.readDoubleLE(at + 11),
    mtimeNs: bytes.readBigInt64LE(at + 19),
    ctimeNs: bytes.readBigInt64LE(at + 27),
    inode: bytes.readBigUInt64LE(at + 35),
    device: bytes.readBigUInt64LE(at + 43),
    deviceMajor: bytes.readUInt16LE(at + 51),
    deviceMinor: bytes.readUInt32LE(at + 53),
    path: bytes.toString('latin1', pathAt, linkAt),
    link: bytes.toString('latin1', linkAt, linkAt + linkBytes),
    xattrs: decodeXattrs(bytes, linkAt + linkBytes, bytes.readUInt16LE(at + 61)),
  };
}

function decodeXattrs(bytes: Buffer, offset: number, count: number): TreeEntry['xattrs'] {
  if (count === 0) return NO_XATTRS;
  let at = offset;
  return Array.from({ length: count }, () => {
    const nameEnd = at + 8 + bytes.readUInt32LE(at);
    const valueEnd = nameEnd + bytes.readUInt32LE(at + 4);
    const xattr = {
      name: bytes.toString('latin1', at + 8, nameEnd),
      value: bytes.toString('latin1', nameEnd, valueEnd),
    };
    at = valueEnd;
    return xattr;
  });
}

export const NO_XATTRS: TreeEntry['xattrs'] = [];

/** The mark behind the last entry. */
export const END_ENTRY: TreeEntry = {
  type: 'end',
  path: '',
  mode: 0,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  inode: 0n,
  device: 0n,
  deviceMajor: 0,
  deviceMinor: 0,
  link: '',
  xattrs: NO_XATTRS,
};
