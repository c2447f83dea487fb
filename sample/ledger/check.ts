/**
 * `node sample/ledger/check.ts FILE`: is this file a ledger as of one moment? Prints one line of JSON
 * `{ok, records, head, debits, credits, problems}` and exits 0 (good), 1 (torn) or 2 (could not tell).
 * Only reads. A crash image (killed or paused writer) is good; a copy of a file under load is not.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { BATCH_MAX, RECORD_BYTES, RING_OFFSET, decodeRecord } from './layout.ts';
import type { LedgerRecord } from './layout.ts';
import { TornLedger, isInFlight, readAt, recover } from './recover.ts';
import type { Recovered } from './recover.ts';

export interface LedgerCheck {
  readonly ok: boolean;
  readonly records: number;
  readonly head: string;
  readonly debits: number;
  readonly credits: number;
  readonly problems: readonly string[];
}

const SCAN_BYTES = 1024 * 1024;
const PROBLEMS_MAX = 20;
const ZERO_RECORD = Buffer.alloc(RECORD_BYTES);

/** The highest number up to the head that belongs into a slot; 0 when none was ever written there. */
function expectedNumber(slot: number, records: number, ringSlots: number): number {
  const laps = Math.floor((records - slot - 1) / ringSlots);
  return laps < 0 ? 0 : slot + 1 + laps * ringSlots;
}

function judgeSlot(
  slot: number,
  bytes: Buffer,
  found: Recovered,
  before: LedgerRecord | undefined,
): { record?: LedgerRecord; problem?: string } {
  const { ringSlots } = found.shape;
  const expected = expectedNumber(slot, found.records, ringSlots);
  const next = expected === 0 ? slot + 1 : expected + ringSlots;
  const record = decodeRecord(bytes);
  if (isInFlight(next, found.records)) return judgeInFlight(slot, record, found.records);
  if (expected === 0) {
    return bytes.equals(ZERO_RECORD) ? {} : { problem: `slot ${slot} was never written, but is not empty` };
  }
  if (record === undefined) return { problem: `record ${expected} is damaged` };
  if (record.number !== expected) return { problem: `record ${record.number} where record ${expected} belongs` };
  if (before?.number === expected - 1 && record.previous !== before.hash) {
    return { problem: `record ${expected} does not follow record ${before.number}` };
  }
  return { record };
}

/** Beyond the head only the call that was never acknowledged may have left anything. */
function judgeInFlight(
  slot: number,
  record: LedgerRecord | undefined,
  records: number,
): { record?: LedgerRecord; problem?: string } {
  if (record === undefined || record.number <= records) return {};
  const ofThisCall = record.batchFirst <= records + 1 && record.number < record.batchFirst + BATCH_MAX;
  return ofThisCall ? {} : { problem: `slot ${slot} holds record ${record.number}, beyond the head ${records}` };
}

async function scanRing(file: FileHandle, found: Recovered): Promise<string[]> {
  const problems: string[] = [];
  const ringBytes = found.shape.ringSlots * RECORD_BYTES;
  let before: LedgerRecord | undefined;
  let first: LedgerRecord | undefined;
  for (let offset = 0; offset < ringBytes; offset += SCAN_BYTES) {
    const bytes = await readAt(file, RING_OFFSET + offset, Math.min(SCAN_BYTES, ringBytes - offset));
    for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
      const slot = (offset + at) / RECORD_BYTES;
      const verdict = judgeSlot(slot, bytes.subarray(at, at + RECORD_BYTES), found, before);
      before = verdict.record;
      if (slot === 0) first = verdict.record;
      if (verdict.problem !== undefined) problems.push(verdict.problem);
    }
    if (problems.length >= PROBLEMS_MAX) return [...problems.slice(0, PROBLEMS_MAX), 'and more'];
  }
  if (before !== undefined && first?.number === before.number + 1 && first.previous !== before.hash) {
    problems.push(`record ${first.number} does not follow record ${before.number}`);
  }
  return problems;
}

function checkSums(found: Recovered): string[] {
  const debits = found.accounts.reduce((sum, account) => sum + account.debits, 0);
  const credits = found.accounts.reduce((sum, account) => sum + account.credits, 0);
  const problems: string[] = [];
  if (debits !== credits) problems.push(`debits ${debits} and credits ${credits} differ`);
  if (debits !== found.debits) problems.push(`the accounts' debits ${debits} are not the chain's ${found.debits}`);
  return problems;
}

/** Throws only when the file can't be read. */
export async function checkLedger(path: string): Promise<LedgerCheck> {
  const file = await open(path, 'r');
  try {
    const found = await recover(file);
    const problems = [...checkSums(found), ...(await scanRing(file, found))];
    const { records, head, debits, credits } = found;
    return { ok: problems.length === 0, records, head, debits, credits, problems };
  } catch (error) {
    if (!(error instanceof TornLedger)) throw error;
    return { ok: false, records: 0, head: '', debits: 0, credits: 0, problems: error.problems };
  } finally {
    await file.close();
  }
}

async function main(path: string | undefined): Promise<number> {
  try {
    if (path === undefined) throw new Error('usage: node sample/ledger/check.ts FILE');
    const result = await checkLedger(path);
    console.log(JSON.stringify(result));
    return result.ok ? 0 : 1;
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    console.log(JSON.stringify({ ok: false, records: 0, head: '', debits: 0, credits: 0, problems: [problem] }));
    return 2;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv[2]);
