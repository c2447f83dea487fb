/**
 * Reads a ledger file as it would be found after a crash: which superblock counts, which account blocks belong to it,
 * and how far the chain of records goes on from there. Used by the server to start and by the check to judge.
 */
import type { FileHandle } from 'node:fs/promises';
import {
  BATCH_MAX,
  PAGE_BYTES,
  RECORD_BYTES,
  RING_OFFSET,
  SUPERBLOCK_COPIES,
  blockOffset,
  decodeBlock,
  decodeRecord,
  decodeSuperblock,
  digestOf,
  geometry,
  slotOf,
} from './layout.ts';
import type { Account, AccountBlock, Geometry, LedgerRecord, Superblock } from './layout.ts';

export interface Recovered {
  readonly shape: Geometry;
  readonly superblock: Superblock;
  /** Records in all, and the hash of the last. */
  readonly records: number;
  readonly head: string;
  /** All accounts, with the records after the checkpoint applied. */
  readonly accounts: Account[];
  /** For each block the slot that holds it as of the checkpoint. */
  readonly slots: (0 | 1)[];
  /** Checksums of the account blocks as of the checkpoint. */
  readonly checksums: string[];
  readonly debits: number;
  readonly credits: number;
}

/** What is wrong with a file; `problems` is never empty. */
export class TornLedger extends Error {
  override readonly name = 'TornLedger';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the ledger file is torn: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

export async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}

/** At least two whole copies; the newest sequence counts, and an update may have been caught between two copies. */
export function chooseSuperblock(copies: readonly (Superblock | undefined)[]): Superblock {
  const whole = copies.filter((copy) => copy !== undefined);
  if (whole.length < 2) {
    throw new TornLedger([`only ${whole.length} of ${SUPERBLOCK_COPIES} superblock copies are whole`]);
  }
  const newest = whole.reduce((best, copy) => (copy.sequence > best.sequence ? copy : best));
  const oldest = whole.reduce((best, copy) => (copy.sequence < best.sequence ? copy : best));
  if (newest.sequence - oldest.sequence > 1) {
    throw new TornLedger([`superblock copies of sequence ${oldest.sequence} and ${newest.sequence} side by side`]);
  }
  return newest;
}

interface BlocksRead {
  readonly live: readonly AccountBlock[];
  readonly slots: (0 | 1)[];
  readonly newestStamp: number;
  readonly problems: readonly string[];
}

async function readBlocks(file: FileHandle, shape: Geometry, checkpoint: number): Promise<BlocksRead> {
  const live: AccountBlock[] = [];
  const slots: (0 | 1)[] = [];
  const problems: string[] = [];
  let newestStamp = 0;
  for (let index = 0; index < shape.blocks; index += 1) {
    const pair = await readAt(file, blockOffset(shape, index, 0), 2 * PAGE_BYTES);
    const candidates = ([0, 1] as const).flatMap((slot) => {
      const block = decodeBlock(pair.subarray(slot * PAGE_BYTES, (slot + 1) * PAGE_BYTES));
      return block?.index === index ? [{ slot, block }] : [];
    });
    for (const { block } of candidates) newestStamp = Math.max(newestStamp, block.stamp);
    const known = candidates.filter(({ block }) => block.stamp <= checkpoint);
    const best = known.sort((a, b) => b.block.stamp - a.block.stamp)[0];
    if (best === undefined) {
      problems.push(`account block ${index} has no whole slot as of checkpoint ${checkpoint}`);
    } else {
      live.push(best.block);
      slots.push(best.slot);
    }
  }
  return { live, slots, newestStamp, problems };
}

async function followChain(
  file: FileHandle,
  shape: Geometry,
  superblock: Superblock,
  apply: (record: LedgerRecord) => void,
): Promise<{ records: number; head: string }> {
  let records = superblock.checkpoint;
  let head = superblock.checkpointHead;
  // More than the ring holds can't follow a checkpoint.
  for (let step = 0; step < shape.ringSlots; step += 1) {
    const number = records + 1;
    const bytes = await readAt(file, RING_OFFSET + slotOf(number, shape.ringSlots) * RECORD_BYTES, RECORD_BYTES);
    const record = decodeRecord(bytes);
    if (record?.number !== number || record.previous !== head) break;
    apply(record);
    records = number;
    head = record.hash;
  }
  return { records, head };
}

/** Throws TornLedger with everything that was found. A file cut short, or with other geometry, is torn too. */
export async function recover(file: FileHandle): Promise<Recovered> {
  const header = await readAt(file, 0, RING_OFFSET);
  const copies = Array.from({ length: SUPERBLOCK_COPIES }, (_, at) =>
    decodeSuperblock(header.subarray(at * PAGE_BYTES, (at + 1) * PAGE_BYTES)),
  );
  const superblock = chooseSuperblock(copies);
  const { size } = await file.stat();
  if (size !== superblock.fileBytes) {
    throw new TornLedger([`the file has ${size} bytes, its superblock says ${superblock.fileBytes}`]);
  }
  const shape = geometry(superblock.fileBytes, superblock.accounts);
  const blocks = await readBlocks(file, shape, superblock.checkpoint);
  const problems = [...blocks.problems];
  const checksums = blocks.live.map((block) => block.checksum);
  if (problems.length === 0 && digestOf(checksums) !== superblock.accountsDigest) {
    problems.push(`the account blocks are not those of checkpoint ${superblock.checkpoint}`);
  }
  if (problems.length > 0) throw new TornLedger(problems);

  const accounts = blocks.live.flatMap((block) => block.accounts.map((account) => ({ ...account })));
  let { debits, credits } = superblock;
  const { records, head } = await followChain(file, shape, superblock, (record) => {
    applyTransfer(accounts, record);
    debits += record.amount;
    credits += record.amount;
  });
  if (blocks.newestStamp > records) {
    // Account blocks are written after the records they contain, so these bytes were read at different moments.
    throw new TornLedger([`account blocks of record ${blocks.newestStamp}, but the chain ends at ${records}`]);
  }
  return { shape, superblock, records, head, accounts, slots: blocks.slots, checksums, debits, credits };
}

export function applyTransfer(accounts: readonly Account[], record: LedgerRecord): void {
  const from = accounts[record.debit];
  const to = accounts[record.credit];
  if (from === undefined || to === undefined) {
    throw new TornLedger([`record ${record.number} names an unknown account`]);
  }
  from.debits += record.amount;
  from.transfers += 1;
  to.credits += record.amount;
  to.transfers += 1;
}

/** True for a slot that only the call in flight can have touched when the chain ends at `records`. */
export function isInFlight(number: number, records: number): boolean {
  return number > records && number <= records + BATCH_MAX;
}
