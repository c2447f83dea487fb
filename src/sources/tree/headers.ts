/**
 * Tar headers as POSIX.1-2017 describes them (pax interchange format): a ustar header, before it an extended header
 * when something does not fit or is finer than ustar can say. Extended attributes and ACLs use the keywords that GNU
 * tar, bsdtar and star share (`SCHILY.xattr.*`, `SCHILY.acl.*`).
 */
import { ACL_KEYWORDS, aclText } from '../acl.ts';
import type { ByteString } from '../byte-string.ts';
import { isAscii } from '../byte-string.ts';
import type { EntryType, TreeEntry } from './entry.ts';

export const BLOCK_BYTES = 512;
/** Two zero blocks close an archive. */
export const END_BYTES = 2 * BLOCK_BYTES;

const LARGEST_OCTAL_7 = 0o7777777;
const LARGEST_OCTAL_11 = 0o77777777777;
const NS_PER_S = 1_000_000_000n;

const TYPE_FLAGS: Readonly<Record<Exclude<EntryType, 'end'>, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

type PaxRecord = readonly [keyword: string, value: ByteString];

/** What the ustar header can't say, in a fixed order. */
function paxRecords(entry: TreeEntry): PaxRecord[] {
  const records: PaxRecord[] = [];
  const name = tarName(entry);
  const longName = split(name) === undefined;
  const longLink = entry.link.length > 100;
  if ((longName && !isUtf8(name)) || (longLink && !isUtf8(entry.link))) records.push(['hdrcharset', 'BINARY']);
  if (longName) records.push(['path', name]);
  if (longLink) records.push(['linkpath', entry.link]);
  if (entry.uid > LARGEST_OCTAL_7) records.push(['uid', String(entry.uid)]);
  if (entry.gid > LARGEST_OCTAL_7) records.push(['gid', String(entry.gid)]);
  if (entry.type === 'file' && entry.sizeBytes > LARGEST_OCTAL_11) records.push(['size', String(entry.sizeBytes)]);
  const seconds = entry.mtimeNs / NS_PER_S;
  if (entry.mtimeNs < 0n || entry.mtimeNs % NS_PER_S !== 0n || seconds > BigInt(LARGEST_OCTAL_11)) {
    records.push(['mtime', decimalSeconds(entry.mtimeNs)]);
  }
  for (const { name: attribute, value } of entry.xattrs) records.push(xattrRecord(attribute, value));
  return records;
}

/** A keyword can't hold a `=`; readers split at the first one, so bsdtar's and star's percent form is used. */
function xattrRecord(name: ByteString, value: ByteString): PaxRecord {
  const keyword = ACL_KEYWORDS[name];
  const text = keyword === undefined ? undefined : aclText(value);
  if (keyword !== undefined && text !== undefined) return [keyword, text];
  return [`SCHILY.xattr.${name.replace(/[%=]/g, (mark) => (mark === '%' ? '%25' : '%3D'))}`, value];
}

function isUtf8(name: ByteString): boolean {
  return isAscii(name) || Buffer.from(name, 'latin1').toString().indexOf('\ufffd') === -1;
}

/** Seconds since 1970 with nine decimals, also before it. */
export function decimalSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  return `${ns < 0n ? '-' : ''}${size / NS_PER_S}.${String(size % NS_PER_S).padStart(9, '0')}`;
}

function tarName(entry: TreeEntry): ByteString {
  return entry.type === 'directory' ? `${entry.path}/` : entry.path;
}

/** Name and prefix field of a ustar header, or undefined when the name does not fit. */
function split(name: ByteString): { name: ByteString; prefix: ByteString } | undefined {
  if (name.length <= 100) return { name, prefix: '' };
  if (name.length > 256) return undefined;
  // The first slash that leaves no more than 100 bytes behind it, if what is before it fits into 155.
  const slash = name.indexOf('/', name.length - 101);
  if (slash <= 0 || slash > 155 || slash === name.length - 1) return undefined;
  return { name: name.slice(slash + 1), prefix: name.slice(0, slash) };
}

function recordBytes([keyword, value]: PaxRecord): number {
  const rest = keyword.length + value.length + 3;
  let bytes = rest + String(rest).length;
  if (String(bytes).length !== String(rest).length) bytes = rest + String(bytes).length;
  return bytes;
}

function totalBytes(records: readonly PaxRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += recordBytes(record);
  return bytes;
}

/** The length of what `tarHeader` makes, without making it. */
export function headerBytes(entry: TreeEntry): number {
  if (entry.type === 'end') return END_BYTES;
  const records = paxRecords(entry);
  return BLOCK_BYTES + (records.length === 0 ? 0 : BLOCK_BYTES + paddedBytes(totalBytes(records)));
}

/** Everything of an entry that comes before its contents. */
export function tarHeader(entry: TreeEntry): Buffer {
  const header = Buffer.alloc(headerBytes(entry));
  writeTarHeader(entry, header, 0);
  return header;
}

/** The same, written at `offset` of bytes that are zero there; returns the offset behind it. */
export function writeTarHeader(entry: TreeEntry, into: Buffer, offset: number): number {
  if (entry.type === 'end') return offset + END_BYTES;
  const records = paxRecords(entry);
  const own = records.length === 0 ? offset : writePax(records, into, offset);
  const end = own + BLOCK_BYTES;
  writeEntryBlock(into.subarray(own, end), entry);
  return end;
}

/** The extended header and its block; returns the offset behind it. */
function writePax(records: readonly PaxRecord[], into: Buffer, offset: number): number {
  const paxBytes = totalBytes(records);
  writeBlock(into.subarray(offset, offset + BLOCK_BYTES), {
    name: '././@PaxHeader',
    prefix: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    type: 'x',
    sizeBytes: paxBytes,
  });
  let at = offset + BLOCK_BYTES;
  for (const record of records) {
    at += into.write(`${recordBytes(record)} ${record[0]}=${record[1]}\n`, at, 'latin1');
  }
  return offset + BLOCK_BYTES + paddedBytes(paxBytes);
}

function writeEntryBlock(block: Buffer, entry: TreeEntry): void {
  const name = tarName(entry);
  const { name: shown, prefix } = split(name) ?? { name: name.slice(0, 100), prefix: '' };
  writeBlock(block, {
    name: shown,
    prefix,
    mode: entry.mode,
    uid: entry.uid > LARGEST_OCTAL_7 ? 0 : entry.uid,
    gid: entry.gid > LARGEST_OCTAL_7 ? 0 : entry.gid,
    type: entry.type === 'end' ? '0' : TYPE_FLAGS[entry.type],
    sizeBytes: entry.type !== 'file' || entry.sizeBytes > LARGEST_OCTAL_11 ? 0 : entry.sizeBytes,
    seconds: wholeSeconds(entry.mtimeNs),
    link: entry.link.slice(0, 100),
    major: entry.deviceMajor,
    minor: entry.deviceMinor,
  });
}

function wholeSeconds(ns: bigint): number {
  if (ns < 0n) return 0;
  return Math.min(Number(ns / NS_PER_S), LARGEST_OCTAL_11);
}

interface Block {
  readonly name: ByteString;
  readonly prefix: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly type: string;
  readonly sizeBytes: number;
  readonly seconds?: number;
  readonly link?: ByteString;
  readonly major?: number;
  readonly minor?: number;
}

/** Fields of a ustar header at their offsets; the block must be zero. */
function writeBlock(block: Buffer, fields: Block): void {
  block.write(fields.name, 0, 'latin1');
  octal(block, fields.mode, 100, 7);
  octal(block, fields.uid, 108, 7);
  octal(block, fields.gid, 116, 7);
  octal(block, fields.sizeBytes, 124, 11);
  octal(block, fields.seconds ?? 0, 136, 11);
  block.write('        ', 148, 'latin1');
  block.write(fields.type, 156, 'latin1');
  block.write(fields.link ?? '', 157, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  octal(block, fields.major ?? 0, 329, 7);
  octal(block, fields.minor ?? 0, 337, 7);
  block.write(fields.prefix, 345, 'latin1');
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) sum += block[at] ?? 0;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function octal(block: Buffer, value: number, at: number, digits: number): void {
  let rest = value;
  for (let place = at + digits - 1; place >= at; place -= 1) {
    block[place] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}
