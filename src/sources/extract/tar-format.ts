/**
 * Reading tar headers: POSIX pax and ustar, and what GNU tar adds to them (long names, binary numbers). Everything is
 * input from outside: what does not follow the format is refused as ArchiveBroken.
 */
import { ACL_KEYWORDS, aclValue } from '../acl.ts';
import type { ByteString } from '../byte-string.ts';
import { HoldfastError } from '../../failures.ts';

export const BLOCK_BYTES = 512;

export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character' | 'block';

export interface TarEntry {
  readonly type: TarType;
  /** As the archive has it: not yet judged. */
  readonly path: ByteString;
  readonly link: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: readonly { readonly name: ByteString; readonly value: ByteString }[];
  /** What of the header could not be understood and is not restored. */
  readonly warnings: readonly string[];
}

/** `path` without what only says that it is relative, or a directory's: `./a/` is `a`. */
export function pathInTree(path: ByteString): ByteString {
  return path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
}

/** Keyword to value, as in a pax extended header. */
export type PaxRecords = ReadonlyMap<string, ByteString>;

export function broken(what: string): HoldfastError {
  return new HoldfastError('ArchiveBroken', `The archive is broken: ${what}`);
}

/** A header block as it stands, before pax records change it. */
export interface RawHeader {
  /** The type flag, one character. */
  readonly flag: string;
  readonly block: Buffer;
  readonly sizeBytes: number;
}

/** Undefined for a block of zeros. */
export function parseBlock(block: Buffer): RawHeader | undefined {
  const stated = block
    .subarray(148, 156)
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trim();
  let sum = 8 * 0x20;
  let any = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    const byte = block[at] ?? 0;
    any |= byte;
    if (at < 148 || at >= 156) sum += byte;
  }
  if (any === 0) return undefined;
  if (!/^[0-7]+$/.test(stated) || Number.parseInt(stated, 8) !== sum) throw broken('a header has a wrong checksum');
  return { flag: String.fromCharCode(block[156] ?? 0), block, sizeBytes: number(block, 124, 12, 'size') };
}

/** An unsigned number: octal digits, or GNU's big-endian form marked by the highest bit. */
function number(block: Buffer, at: number, bytes: number, what: string): number {
  const value = octal(block, at, bytes) ?? Number(bigNumber(block, at, bytes, what));
  if (value < 0 || !Number.isSafeInteger(value)) throw broken(`${what} is out of range`);
  return value;
}

/** The usual form, digits up to a zero or a space. Undefined for any other, which `bigNumber` reads or refuses. */
function octal(block: Buffer, at: number, bytes: number): number | undefined {
  let value = 0;
  for (let offset = 0; offset < bytes; offset += 1) {
    const byte = block[at + offset] ?? 0;
    if (offset > 0 && (byte === 0 || (byte === 0x20 && offset === bytes - 1))) return value;
    if (byte < 0x30 || byte > 0x37) return undefined;
    value = value * 8 + byte - 0x30;
  }
  return value;
}

function bigNumber(block: Buffer, at: number, bytes: number, what: string): bigint {
  const first = block[at] ?? 0;
  if ((first & 0x80) === 0) {
    const text = block
      .toString('latin1', at, at + bytes)
      .replace(/\0.*$/s, '')
      .trim();
    if (text === '') return 0n;
    if (!/^[0-7]+$/.test(text)) throw broken(`${what} is no number`);
    return BigInt(`0o${text}`);
  }
  let value = first === 0xff ? -1n : BigInt(first & 0x7f);
  for (let offset = 1; offset < bytes; offset += 1) value = (value << 8n) | BigInt(block[at + offset] ?? 0);
  return value;
}

/** The records of an extended header: `<length> <keyword>=<value>\n`, one after another. */
export function parsePax(data: Buffer): Map<string, ByteString> {
  const records = new Map<string, ByteString>();
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at);
    const digits = space === -1 || space - at > 10 ? '' : data.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^[1-9]\d*$/.test(digits) || end > data.length || data[end - 1] !== 0x0a) {
      throw broken('an extended header has a wrong length');
    }
    const equals = data.indexOf(0x3d, space);
    if (equals === -1 || equals >= end) throw broken('an extended header has a record without a value');
    records.set(data.toString('latin1', space + 1, equals), data.toString('latin1', equals + 1, end - 1));
    at = end;
  }
  return records;
}

const TYPES: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};

/** The entry that a header and the records before it describe. */
export function entryOf(header: RawHeader, pax: PaxRecords): TarEntry {
  const { block } = header;
  const path = pax.get('path') ?? ustarName(block);
  const declared = TYPES[header.flag];
  if (declared === undefined) throw broken(`${shown(path)} has the unknown type ${JSON.stringify(header.flag)}`);
  for (const keyword of pax.keys()) {
    if (keyword.startsWith('GNU.sparse.'))
      throw broken(`${shown(path)} uses GNU's sparse form, which is not supported`);
  }
  // Before there was a type for directories, a slash at the end said it.
  const type = declared === 'file' && path.endsWith('/') ? 'directory' : declared;
  const sizeBytes = decimal(pax, 'size') ?? header.sizeBytes;
  if ((type === 'hardlink' || type === 'symlink') && sizeBytes !== 0)
    throw broken(`the link ${shown(path)} has contents`);
  const warnings: string[] = [];
  return {
    type,
    path,
    link: pax.get('linkpath') ?? field(block, 157, 100),
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: decimal(pax, 'uid') ?? number(block, 108, 8, 'uid'),
    gid: decimal(pax, 'gid') ?? number(block, 116, 8, 'gid'),
    sizeBytes: type === 'file' ? sizeBytes : 0,
    mtimeNs: paxTime(pax.get('mtime')) ?? bigNumber(block, 136, 12, 'mtime') * NS_PER_S,
    deviceMajor: isDevice(type) ? number(block, 329, 8, 'device number') : 0,
    deviceMinor: isDevice(type) ? number(block, 337, 8, 'device number') : 0,
    xattrs: xattrsOf(pax, path, warnings),
    warnings,
  };
}

const NS_PER_S = 1_000_000_000n;

function isDevice(type: TarType): boolean {
  return type === 'character' || type === 'block';
}

function field(block: Buffer, at: number, bytes: number): ByteString {
  const text = block.toString('latin1', at, at + bytes);
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

function ustarName(block: Buffer): ByteString {
  const name = field(block, 0, 100);
  // GNU's own magic is `ustar  `; it keeps other things where ustar has the prefix.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? field(block, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function decimal(pax: PaxRecords, keyword: string): number | undefined {
  const text = pax.get(keyword);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw broken(`${keyword} is out of range`);
  return value;
}

function paxTime(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const found = /^(-?)(\d{1,18})(?:\.(\d+))?$/.exec(text);
  if (found === null) throw broken('a time is no number');
  const [, sign, seconds = '0', decimals = ''] = found;
  const size = BigInt(seconds) * NS_PER_S + BigInt(decimals.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -size : size;
}

const XATTR_KEYWORD = 'SCHILY.xattr.';

function xattrsOf(pax: PaxRecords, path: ByteString, warnings: string[]): TarEntry['xattrs'] {
  const found: { name: ByteString; value: ByteString }[] = [];
  for (const [keyword, value] of pax) {
    if (keyword.startsWith(XATTR_KEYWORD)) {
      const name = keyword.slice(XATTR_KEYWORD.length).replace(/%3D/g, '=').replace(/%25/g, '%');
      found.push({ name, value });
    } else if (keyword.startsWith('SCHILY.acl.')) {
      const name = Object.keys(ACL_KEYWORDS).find((attribute) => ACL_KEYWORDS[attribute] === keyword);
      const acl = name === undefined ? undefined : aclValue(value);
      if (name === undefined || acl === undefined) warnings.push(`the ACL of ${shown(path)} was not understood`);
      else found.push({ name, value: acl });
    }
  }
  return found;
}

/** A name for messages: short, and without control characters. */
export function shown(path: ByteString): string {
  const text = Buffer.from(path, 'latin1').toString();
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
