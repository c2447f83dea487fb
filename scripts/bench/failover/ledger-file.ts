/** A ledger of the sample that is full to the last record, made at once instead of transfer by transfer. */
import { open, type FileHandle } from 'node:fs/promises';
import {
  ACCOUNTS_PER_BLOCK,
  BATCH_MAX,
  blockOffset,
  digestOf,
  encodeBlock,
  encodeRecord,
  encodeSuperblock,
  geometry,
  NO_HASH,
  PAGE_BYTES,
  RECORD_BYTES,
  RING_OFFSET,
  SUPERBLOCK_COPIES,
  USER_DATA_BYTES,
  type Account,
} from '../../../sample/ledger/layout.ts';
import { loadTransfer } from '../../../sample/ledger/load.ts';
import { Random } from '../random.ts';

const ACCOUNTS = 1260;
const BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * As the load with this seed would have filled it, with random user data in every record: a file that the ledger serves
 * and its check reads through, and of which zstd -1 makes about a half. Synced when it resolves.
 */
export async function writeFullLedger(path: string, fileBytes: number, seed: number): Promise<void> {
  const shape = geometry(fileBytes, ACCOUNTS);
  const accounts: Account[] = Array.from({ length: shape.blocks * ACCOUNTS_PER_BLOCK }, () => ({
    ...{ debits: 0, credits: 0, transfers: 0 },
  }));
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(shape.fileBytes);
    // Beyond the head only one call may have left something: what would overwrite the oldest is none of them.
    const records = shape.ringSlots - BATCH_MAX;
    const head = await writeRecords(file, { records, seed, accounts });
    const checksums: string[] = [];
    for (let index = 0; index < shape.blocks; index += 1) {
      const from = index * ACCOUNTS_PER_BLOCK;
      const bytes = encodeBlock(index, records, accounts.slice(from, from + ACCOUNTS_PER_BLOCK));
      checksums.push(bytes.toString('hex', 0, 32));
      await file.write(bytes, 0, PAGE_BYTES, blockOffset(shape, index, 0));
    }
    const debits = accounts.reduce((sum, account) => sum + account.debits, 0);
    for (let copy = 0; copy < SUPERBLOCK_COPIES; copy += 1) {
      const block = {
        ...{ copy, sequence: 1, checkpoint: records, checkpointHead: head, accountsDigest: digestOf(checksums) },
        ...{ accounts: ACCOUNTS, ringSlots: shape.ringSlots, fileBytes, debits, credits: debits },
      };
      await file.write(encodeSuperblock(block), 0, PAGE_BYTES, copy * PAGE_BYTES);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The hash of the last one. */
async function writeRecords(
  file: FileHandle,
  { records, seed, accounts }: { readonly records: number; readonly seed: number; readonly accounts: Account[] },
): Promise<string> {
  const random = new Random(seed);
  const bytes = Buffer.alloc(BUFFER_BYTES);
  const userData = new Uint32Array(USER_DATA_BYTES / 4);
  let previous = NO_HASH;
  let filled = 0;
  let offset = RING_OFFSET;
  for (let number = 1; number <= records; number += 1) {
    const transfer = loadTransfer(seed, number, ACCOUNTS);
    for (let at = 0; at < userData.length; at += 1) userData[at] = random.word();
    const record = { ...transfer, number, batchFirst: number, previous, userData };
    previous = encodeRecord(record, bytes.subarray(filled, filled + RECORD_BYTES));
    filled += RECORD_BYTES;
    apply(accounts, transfer);
    if (filled < BUFFER_BYTES && number < records) continue;
    await file.write(bytes, 0, filled, offset);
    offset += filled;
    filled = 0;
  }
  return previous;
}

function apply(accounts: Account[], { debit, credit, amount }: ReturnType<typeof loadTransfer>): void {
  const [from, to] = [accounts[debit], accounts[credit]];
  if (from === undefined || to === undefined) throw new RangeError('unknown account');
  from.debits += amount;
  from.transfers += 1;
  to.credits += amount;
  to.transfers += 1;
}
