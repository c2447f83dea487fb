/**
 * Ledger-like data: 128-byte transfer records as a double-entry ledger keeps them, of which 32 bytes (25 %) are random
 * (ids and user data), timestamps increase, and accounts are drawn from 20,000. zstd -1 makes about half of it.
 */
import { open } from 'node:fs/promises';
import { Random } from './random.ts';

export const ROW_BYTES = 128;
export const ACCOUNTS = 20_000;
/** What changes in place at once: TigerBeetle's grid block. */
export const BLOCK_BYTES = 512 * 1024;

const BUFFER_BYTES = 4 * 1024 * 1024;
const FIRST_TIMESTAMP_NS = 1_767_225_600_000_000_000n;

/** The accounts' own ids: 64 random bits each, the same in every file of a run. */
function accountIds(): BigUint64Array {
  const random = new Random(ACCOUNTS);
  return BigUint64Array.from({ length: ACCOUNTS }, () => (BigInt(random.word()) << 32n) | BigInt(random.word()));
}

const ACCOUNT_IDS = accountIds();

function fillRows(bytes: Buffer, random: Random, clock: { ns: bigint }): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let row = 0; row + ROW_BYTES <= bytes.length; row += ROW_BYTES) {
    const debit = random.below(ACCOUNTS);
    const credit = (debit + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
    for (let at = 0; at < 16; at += 4) view.setUint32(row + at, random.word(), true);
    view.setBigUint64(row + 16, ACCOUNT_IDS[debit] ?? 0n, true);
    view.setBigUint64(row + 32, ACCOUNT_IDS[credit] ?? 0n, true);
    view.setUint32(row + 48, 1 + random.below(1_000_000), true);
    for (let at = 80; at < 96; at += 4) view.setUint32(row + at, random.word(), true);
    view.setUint32(row + 96, random.below(64), true);
    view.setUint32(row + 108, 700, true);
    view.setUint16(row + 112, 1 + random.below(8), true);
    clock.ns += BigInt(1_000 + random.below(60_000));
    view.setBigUint64(row + 120, clock.ns, true);
  }
}

/** Writes `sizeBytes` (whole MiB) to `path`, synced. */
export async function writeLedgerData(path: string, sizeBytes: number, seed: number): Promise<void> {
  const random = new Random(seed);
  const clock = { ns: FIRST_TIMESTAMP_NS };
  const file = await open(path, 'w', 0o600);
  try {
    for (let done = 0; done < sizeBytes; done += BUFFER_BYTES) {
      const bytes = Buffer.alloc(Math.min(BUFFER_BYTES, sizeBytes - done));
      fillRows(bytes, random, clock);
      await file.write(bytes, 0, bytes.length, done);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Rewrites this share of the blocks in place with new rows; returns how many were changed. At least one. */
export async function mutateLedgerData(path: string, share: number, seed: number): Promise<number> {
  const random = new Random(seed);
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const blocks = Math.max(1, Math.floor(size / BLOCK_BYTES));
    const wanted = Math.max(1, Math.round(blocks * share));
    const chosen = new Set<number>();
    while (chosen.size < wanted) chosen.add(random.below(blocks));
    const clock = { ns: FIRST_TIMESTAMP_NS + BigInt(seed) * 1_000_000_000n };
    for (const block of chosen) {
      const bytes = Buffer.alloc(Math.min(BLOCK_BYTES, size));
      fillRows(bytes, random, clock);
      await file.write(bytes, 0, bytes.length, block * BLOCK_BYTES);
    }
    await file.sync();
    return chosen.size;
  } finally {
    await file.close();
  }
}
