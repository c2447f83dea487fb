/**
 * The bytes of the stand-in ledger: one file of fixed size, updated in place.
 *
 *   superblock   4 copies of 4 KiB: the last checkpoint, its chain head, and a digest of the account blocks
 *   ring         256-byte records, each hashed and chained to the one before it; the newest overwrite the oldest
 *   accounts     blocks of 4 KiB, two slots each: a checkpoint writes the slot that the last one did not
 *
 * The accounts lie behind the ring, so that a copy made front to back under load meets accounts that are newer than
 * the records it read: a torn file, which `check.ts` finds.
 */
import { createHash, hash as hashOnce } from 'node:crypto';

export const PAGE_BYTES = 4096;
export const SUPERBLOCK_COPIES = 4;
export const RECORD_BYTES = 256;
export const ACCOUNT_BYTES = 32;
export const BLOCK_HEADER_BYTES = 64;
export const ACCOUNTS_PER_BLOCK = (PAGE_BYTES - BLOCK_HEADER_BYTES) / ACCOUNT_BYTES;
/** Records written by one call; the only ones that may lie beyond the head after a crash. */
export const BATCH_MAX = 64;
export const CHECKPOINT_EVERY = 512;
export const RING_OFFSET = SUPERBLOCK_COPIES * PAGE_BYTES;
/** Room in a record for what its user wants to know of a transfer; zeros when that is nothing. */
export const USER_DATA_BYTES = 64;
const USER_DATA_OFFSET = 104;
export const NO_HASH = '0'.repeat(64);

const MAGIC = 'HFLEDGER';
const VERSION = 1;

export interface Superblock {
  readonly copy: number;
  readonly sequence: number;
  /** Number of the last record that the account blocks contain. */
  readonly checkpoint: number;
  readonly checkpointHead: string;
  readonly accountsDigest: string;
  readonly accounts: number;
  readonly ringSlots: number;
  readonly fileBytes: number;
  /** Sums over all transfers up to the checkpoint. */
  readonly debits: number;
  readonly credits: number;
}

export interface Transfer {
  readonly debit: number;
  readonly credit: number;
  readonly amount: number;
  /** Logical or wall-clock milliseconds. */
  readonly timestampMs: number;
}

export interface LedgerRecord extends Transfer {
  /** Counted from 1. */
  readonly number: number;
  /** Number of the first record written by the same call. */
  readonly batchFirst: number;
  readonly previous: string;
  readonly hash: string;
}

export interface Account {
  debits: number;
  credits: number;
  transfers: number;
}

export interface AccountBlock {
  readonly index: number;
  /** Number of the checkpoint's last record. */
  readonly stamp: number;
  readonly checksum: string;
  readonly accounts: readonly Account[];
}

export interface Geometry {
  readonly accounts: number;
  readonly blocks: number;
  readonly ringSlots: number;
  readonly accountsOffset: number;
  readonly fileBytes: number;
}

/** Where everything lies in a file of this size. Throws RangeError below 1 MiB or when the accounts don't fit. */
export function geometry(fileBytes: number, accounts: number): Geometry {
  const blocks = Math.ceil(accounts / ACCOUNTS_PER_BLOCK);
  const ringBytes = fileBytes - RING_OFFSET - blocks * 2 * PAGE_BYTES;
  const ringSlots = (Math.floor(ringBytes / PAGE_BYTES) * PAGE_BYTES) / RECORD_BYTES;
  if (fileBytes < 1024 * 1024 || ringSlots < CHECKPOINT_EVERY * 2 + BATCH_MAX * 2) {
    throw new RangeError(`a ledger of ${fileBytes} bytes has no room for ${accounts} accounts and their records`);
  }
  return { accounts, blocks, ringSlots, accountsOffset: RING_OFFSET + ringSlots * RECORD_BYTES, fileBytes };
}

export function slotOf(number: number, ringSlots: number): number {
  return (number - 1) % ringSlots;
}

export function blockOffset(shape: Geometry, index: number, slot: 0 | 1): number {
  return shape.accountsOffset + (index * 2 + slot) * PAGE_BYTES;
}

function sha256(bytes: Uint8Array): string {
  return hashOnce('sha256', bytes, 'hex');
}

function readNumber(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64LE(offset));
}

function writeNumber(bytes: Buffer, value: number, offset: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a count: ${value}`);
  bytes.writeBigUInt64LE(BigInt(value), offset);
}

export function encodeSuperblock(block: Superblock): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES);
  bytes.write(MAGIC, 32, 'latin1');
  bytes.writeUInt32LE(VERSION, 40);
  bytes.writeUInt32LE(block.copy, 44);
  writeNumber(bytes, block.sequence, 48);
  writeNumber(bytes, block.checkpoint, 56);
  bytes.write(block.checkpointHead, 64, 'hex');
  bytes.write(block.accountsDigest, 96, 'hex');
  bytes.writeUInt32LE(block.accounts, 128);
  writeNumber(bytes, block.ringSlots, 136);
  writeNumber(bytes, block.fileBytes, 144);
  writeNumber(bytes, block.debits, 152);
  writeNumber(bytes, block.credits, 160);
  bytes.write(sha256(bytes.subarray(32)), 0, 'hex');
  return bytes;
}

/** Undefined when the bytes are not a whole superblock. */
export function decodeSuperblock(bytes: Buffer): Superblock | undefined {
  if (bytes.length < PAGE_BYTES || bytes.toString('latin1', 32, 40) !== MAGIC) return undefined;
  if (bytes.toString('hex', 0, 32) !== sha256(bytes.subarray(32, PAGE_BYTES))) return undefined;
  if (bytes.readUInt32LE(40) !== VERSION) return undefined;
  return {
    copy: bytes.readUInt32LE(44),
    sequence: readNumber(bytes, 48),
    checkpoint: readNumber(bytes, 56),
    checkpointHead: bytes.toString('hex', 64, 96),
    accountsDigest: bytes.toString('hex', 96, 128),
    accounts: bytes.readUInt32LE(128),
    ringSlots: readNumber(bytes, 136),
    fileBytes: readNumber(bytes, 144),
    debits: readNumber(bytes, 152),
    credits: readNumber(bytes, 160),
  };
}

/** Writes one record into `into` and returns its hash, which the next record names as `previous`. */
export function encodeRecord(
  record: Omit<LedgerRecord, 'hash'> & { readonly userData?: Uint32Array },
  into: Buffer,
): string {
  into.fill(0, 0, RECORD_BYTES);
  into.write(record.previous, 32, 'hex');
  writeNumber(into, record.number, 64);
  writeNumber(into, record.batchFirst, 72);
  into.writeUInt32LE(record.debit, 80);
  into.writeUInt32LE(record.credit, 84);
  writeNumber(into, record.amount, 88);
  writeNumber(into, record.timestampMs, 96);
  record.userData?.forEach((word, at) => into.writeUInt32LE(word, USER_DATA_OFFSET + at * 4));
  const hash = recordHash(into);
  into.write(hash, 0, 'hex');
  return hash;
}

const hashed = Buffer.alloc(RECORD_BYTES - 40);

// The batch is left out: how many records one call wrote is no part of what happened. In one piece, because a record is small
// and a hash that is fed twice costs more than the copy.
function recordHash(bytes: Buffer): string {
  bytes.copy(hashed, 0, 32, 72);
  bytes.copy(hashed, 40, 80, RECORD_BYTES);
  return sha256(hashed);
}

/** Undefined for anything but a whole record. */
export function decodeRecord(bytes: Buffer): LedgerRecord | undefined {
  const hash = bytes.toString('hex', 0, 32);
  if (hash !== recordHash(bytes)) return undefined;
  return {
    number: readNumber(bytes, 64),
    batchFirst: readNumber(bytes, 72),
    debit: bytes.readUInt32LE(80),
    credit: bytes.readUInt32LE(84),
    amount: readNumber(bytes, 88),
    timestampMs: readNumber(bytes, 96),
    previous: bytes.toString('hex', 32, 64),
    hash,
  };
}

export function encodeBlock(index: number, stamp: number, accounts: readonly Account[]): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES);
  writeNumber(bytes, stamp, 32);
  bytes.writeUInt32LE(index, 40);
  accounts.forEach((account, at) => {
    const offset = BLOCK_HEADER_BYTES + at * ACCOUNT_BYTES;
    writeNumber(bytes, account.debits, offset);
    writeNumber(bytes, account.credits, offset + 8);
    writeNumber(bytes, account.transfers, offset + 16);
  });
  bytes.write(sha256(bytes.subarray(32)), 0, 'hex');
  return bytes;
}

/** Undefined when the bytes are not a whole account block. */
export function decodeBlock(bytes: Buffer): AccountBlock | undefined {
  const checksum = bytes.toString('hex', 0, 32);
  if (checksum !== sha256(bytes.subarray(32, PAGE_BYTES))) return undefined;
  const accounts: Account[] = [];
  for (let offset = BLOCK_HEADER_BYTES; offset < PAGE_BYTES; offset += ACCOUNT_BYTES) {
    accounts.push({
      debits: readNumber(bytes, offset),
      credits: readNumber(bytes, offset + 8),
      transfers: readNumber(bytes, offset + 16),
    });
  }
  return { index: bytes.readUInt32LE(40), stamp: readNumber(bytes, 32), checksum, accounts };
}

/** What the superblock says of the account blocks that belong to its checkpoint. */
export function digestOf(checksums: readonly string[]): string {
  return createHash('sha256').update(checksums.join('')).digest('hex');
}
