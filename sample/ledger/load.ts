/** The steady load: which transfer comes as record n depends on the seed and on n alone, so anybody can predict it. */
import { NO_HASH, RECORD_BYTES, encodeRecord } from './layout.ts';
import type { Transfer } from './layout.ts';

const LOAD_EPOCH_MS = Date.UTC(2026, 0, 1);

/** 32 well-mixed bits of two numbers (the finaliser of MurmurHash3). */
function mix(seed: number, value: number): number {
  let x = (seed ^ Math.imul(value, 0x9e3779b1)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}

/** The transfer that a load with this seed makes as record `number`. */
export function loadTransfer(seed: number, number: number, accounts: number): Transfer {
  const debit = mix(seed, number * 4) % accounts;
  const step = 1 + (mix(seed, number * 4 + 1) % (accounts - 1));
  return {
    debit,
    credit: (debit + step) % accounts,
    amount: 1 + (mix(seed, number * 4 + 2) % 10_000),
    timestampMs: LOAD_EPOCH_MS + number,
  };
}

/** The chain head after `records` records of nothing but this load: what a proof compares a restored ledger with. */
export function expectedHead(seed: number, records: number, accounts: number): string {
  const bytes = Buffer.alloc(RECORD_BYTES);
  let previous = NO_HASH;
  for (let number = 1; number <= records; number += 1) {
    previous = encodeRecord({ ...loadTransfer(seed, number, accounts), number, batchFirst: number, previous }, bytes);
  }
  return previous;
}
