/**
 * The ledger file in use: transfers go into the ring (synced before they are acknowledged), and now and then a
 * checkpoint writes the account blocks and the superblock. Killed or paused at any moment, what is on the disk recovers.
 */
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import {
  ACCOUNTS_PER_BLOCK,
  BATCH_MAX,
  CHECKPOINT_EVERY,
  NO_HASH,
  PAGE_BYTES,
  RECORD_BYTES,
  RING_OFFSET,
  SUPERBLOCK_COPIES,
  blockOffset,
  digestOf,
  encodeBlock,
  encodeRecord,
  encodeSuperblock,
  geometry,
  slotOf,
} from './layout.ts';
import type { Account, Superblock, Transfer } from './layout.ts';
import { applyTransfer, recover } from './recover.ts';
import type { Recovered } from './recover.ts';

export interface LedgerState {
  readonly records: number;
  readonly head: string;
  readonly checkpoint: number;
  readonly debits: number;
  readonly credits: number;
  readonly accounts: number;
}

export interface CreateOptions {
  readonly fileBytes: number;
  readonly accounts: number;
}

/** Makes an empty ledger beside and renames it into place, so that a half-made one never has the name. */
export async function createLedger(path: string, options: CreateOptions): Promise<void> {
  const shape = geometry(options.fileBytes, options.accounts);
  const beside = `${path}.new`;
  await rm(beside, { force: true });
  const file = await open(beside, 'wx', 0o600);
  try {
    await file.truncate(shape.fileBytes);
    const empty = Array.from({ length: ACCOUNTS_PER_BLOCK }, () => ({ debits: 0, credits: 0, transfers: 0 }));
    const checksums: string[] = [];
    for (let index = 0; index < shape.blocks; index += 1) {
      const bytes = encodeBlock(index, 0, empty);
      checksums.push(bytes.toString('hex', 0, 32));
      await file.write(bytes, 0, PAGE_BYTES, blockOffset(shape, index, 0));
    }
    await writeSuperblocks(file, {
      sequence: 1,
      checkpoint: 0,
      checkpointHead: NO_HASH,
      accountsDigest: digestOf(checksums),
      accounts: shape.accounts,
      ringSlots: shape.ringSlots,
      fileBytes: shape.fileBytes,
      debits: 0,
      credits: 0,
    });
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}

async function writeSuperblocks(file: FileHandle, block: Omit<Superblock, 'copy'>): Promise<void> {
  for (let copy = 0; copy < SUPERBLOCK_COPIES; copy += 1) {
    await file.write(encodeSuperblock({ ...block, copy }), 0, PAGE_BYTES, copy * PAGE_BYTES);
    // Never all copies in flight at once.
    if (copy === 1) await file.datasync();
  }
  await file.datasync();
}

/** One writer of one file. Calls are served in order; a failed write ends the ledger, as a database would. */
export class Ledger {
  private readonly file: FileHandle;
  private readonly found: Recovered;
  private readonly dirty = new Set<number>();
  private superblock: Omit<Superblock, 'copy'>;
  private records: number;
  private head: string;
  private debits: number;
  private credits: number;
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle, found: Recovered) {
    this.file = file;
    this.found = found;
    this.superblock = found.superblock;
    this.records = found.records;
    this.head = found.head;
    this.debits = found.debits;
    this.credits = found.credits;
    // What the chain added since the checkpoint is in memory only; the next checkpoint writes every block it may touch.
    if (found.records > found.superblock.checkpoint) {
      for (let index = 0; index < found.shape.blocks; index += 1) this.dirty.add(index);
    }
  }

  /** Recovers what a crash left. Throws TornLedger for a file that is not a crash image of one moment. */
  static async open(path: string): Promise<Ledger> {
    const file = await open(path, 'r+');
    try {
      const found = await recover(file);
      const ledger = new Ledger(file, found);
      await ledger.clearInFlight();
      return ledger;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get state(): LedgerState {
    return {
      records: this.records,
      head: this.head,
      checkpoint: this.superblock.checkpoint,
      debits: this.debits,
      credits: this.credits,
      accounts: this.found.shape.accounts,
    };
  }

  balance(account: number): Readonly<Account> | undefined {
    return account < this.found.shape.accounts ? this.found.accounts[account] : undefined;
  }

  /** Durable when it resolves. `make` is given the number of each record, so that a load can be predicted. */
  apply(count: number, make: (number: number) => Transfer): Promise<LedgerState> {
    const done = this.queue.then(async () => {
      for (let left = count; left > 0; left -= BATCH_MAX) await this.writeBatch(Math.min(left, BATCH_MAX), make);
      return this.state;
    });
    this.queue = done.catch(() => undefined);
    return done;
  }

  /** Waits for what is under way. There is no farewell checkpoint: stopping and crashing leave the same kind of file. */
  async close(): Promise<void> {
    await this.queue;
    await this.file.close();
  }

  private async writeBatch(count: number, make: (number: number) => Transfer): Promise<void> {
    const batchFirst = this.records + 1;
    const bytes = Buffer.alloc(count * RECORD_BYTES);
    let previous = this.head;
    const made = Array.from({ length: count }, (_, at) => {
      const record = { ...make(batchFirst + at), number: batchFirst + at, batchFirst, previous };
      if (record.debit === record.credit || record.amount < 1) throw new RangeError('not a transfer');
      if (Math.max(record.debit, record.credit) >= this.found.shape.accounts) throw new RangeError('unknown account');
      previous = encodeRecord(record, bytes.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES));
      return { ...record, hash: previous };
    });
    await this.writeRing(batchFirst, bytes);
    for (const record of made) {
      applyTransfer(this.found.accounts, record);
      this.dirty.add(Math.floor(record.debit / ACCOUNTS_PER_BLOCK));
      this.dirty.add(Math.floor(record.credit / ACCOUNTS_PER_BLOCK));
      this.debits += record.amount;
      this.credits += record.amount;
    }
    this.records += count;
    this.head = previous;
    if (this.records - this.superblock.checkpoint >= CHECKPOINT_EVERY) await this.checkpoint();
  }

  private async writeRing(first: number, bytes: Buffer): Promise<void> {
    const slots = this.found.shape.ringSlots;
    const start = slotOf(first, slots);
    const fits = Math.min(bytes.length, (slots - start) * RECORD_BYTES);
    await this.file.write(bytes, 0, fits, RING_OFFSET + start * RECORD_BYTES);
    if (fits < bytes.length) await this.file.write(bytes, fits, bytes.length - fits, RING_OFFSET);
    await this.file.datasync();
  }

  private async checkpoint(): Promise<void> {
    const { shape, accounts, slots, checksums } = this.found;
    const written = new Map<number, 0 | 1>();
    for (const index of this.dirty) {
      const slot = slots[index] === 0 ? 1 : 0;
      const from = index * ACCOUNTS_PER_BLOCK;
      const bytes = encodeBlock(index, this.records, accounts.slice(from, from + ACCOUNTS_PER_BLOCK));
      await this.file.write(bytes, 0, PAGE_BYTES, blockOffset(shape, index, slot));
      checksums[index] = bytes.toString('hex', 0, 32);
      written.set(index, slot);
    }
    await this.file.datasync();
    this.superblock = {
      ...this.superblock,
      sequence: this.superblock.sequence + 1,
      checkpoint: this.records,
      checkpointHead: this.head,
      accountsDigest: digestOf(checksums),
      debits: this.debits,
      credits: this.credits,
    };
    await writeSuperblocks(this.file, this.superblock);
    for (const [index, slot] of written) slots[index] = slot;
    this.dirty.clear();
  }

  /** Zeroes what an unacknowledged call left beyond the head. */
  private async clearInFlight(): Promise<void> {
    await this.writeRing(this.records + 1, Buffer.alloc(BATCH_MAX * RECORD_BYTES));
  }
}
