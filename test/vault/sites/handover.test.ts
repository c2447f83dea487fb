/** Handovers in an authority store: one answer to a request, what a repeat does, and what a site may do after it has stopped. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { heldUntilMs } from '../../../src/policy/failover/lease.ts';
import { standingOf } from '../../../src/policy/failover/standing.ts';
import { signerOf } from '../../../src/vault/envelope.ts';
import {
  clearGeneration,
  newestGeneration,
  raiseGeneration,
  type Authority,
  type GenerationRecord,
} from '../../../src/vault/sites/generation.ts';
import {
  answerHandover,
  askHandover,
  generationInForce,
  latestHandover,
  type Handover,
} from '../../../src/vault/sites/handover.ts';
import { handoverAnswerKeyOf, handoverKeyOf } from '../../../src/vault/sites/handover-record.ts';
import { readTrustRoots } from '../../../src/vault/trust.ts';
import { checkRecord } from '../../../src/vault/verify/record-check.ts';
import { makeTestVault, type TestVault } from '../../support/vault.ts';

let vault: TestVault;
let authority: Authority;
let inForce: GenerationRecord;

const by = () => ({ signer: signerOf(vault.keys.signer.privateKey), atMs: Date.now() });
const STOPPED = { outcome: 'stopped', site: 'frankfurt', downSeconds: 12, waitsSeconds: 300 } as const;

beforeEach(async () => {
  vault = await makeTestVault();
  const { store, vaultId, keys } = vault;
  authority = { store, vaultId, roots: await readTrustRoots(store, vaultId, keys.root.fingerprint) };
  const raised = await raiseGeneration(authority, { n: 1, site: 'frankfurt', raiseId: 'first' }, by());
  if (raised.kind !== 'raised') throw new Error('nobody else was there');
  inForce = await clearGeneration(authority, raised.record, { fencing: 'first', evidence: 'init' }, by());
});

afterEach(() => vault[Symbol.asyncDispose]());

async function ask(requestId: string, site = 'ohio'): Promise<Handover> {
  const asked = await askHandover(authority, inForce, { site, requestId, withinSeconds: 600 }, by());
  if (asked.kind === 'busy') throw new Error(`busy with ${asked.by.request.requestId}`);
  return asked.handover;
}

describe('[M7] a site asks the active one to stop', () => {
  it('is asked, answered, and has given up its right: its guard lets nothing run, and it starts nothing', async () => {
    const handover = await ask('run 1');
    expect(await generationInForce(authority)).toEqual({ n: 1, site: 'frankfurt', cleared: true });
    const backups = [{ plan: 'daily', backup: 'a1b2', pointAt: '2026-11-22T10:00:00.000Z' }];
    await answerHandover(authority, handover, { ...STOPPED, backups }, by());

    const newest = await generationInForce(authority);
    expect(newest).toEqual({ n: 1, site: 'frankfurt', cleared: true, handedTo: 'ohio' });
    const times = { leaseMs: 60_000, stopMs: 20_000 };
    expect(heldUntilMs({ site: 'frankfurt', times, renewed: { askedAtMs: 0, newest } })).toBeUndefined();
    expect(standingOf(newest, 'frankfurt', undefined)).toMatchObject({ kind: 'handed', site: 'ohio' });
    // Until somebody has the next one.
    const raised = await raiseGeneration(authority, { n: 2, site: 'frankfurt', raiseId: 'back' }, by());
    if (raised.kind !== 'raised') throw new Error('nobody else was there');
    expect(await generationInForce(authority)).toEqual({ n: 2, site: 'frankfurt', cleared: false });
  });

  it('the answer and the withdrawal at once, twenty times: exactly one stands, and both are told which', async () => {
    for (let turn = 1; turn <= 20; turn += 1) {
      const handover = await ask(`run ${turn}`);
      const outcomes = await Promise.all([
        answerHandover(authority, handover, { outcome: 'refused', site: 'frankfurt', why: 'no room' }, by()),
        answerHandover(authority, handover, { outcome: 'withdrawn', site: 'ohio' }, by()),
      ]);
      expect(new Set(outcomes.map(({ answer }) => answer.outcome)).size).toBe(1);
    }
    expect((await latestHandover(authority, 2))?.request.attempt).toBe(20);
  });

  it('asked again: its own is found, an older one of its site is withdrawn, another site has to wait', async () => {
    const first = await ask('run 1');
    expect((await ask('run 1')).request.sha256).toBe(first.request.sha256);
    await expect(ask('run 7', 'dublin')).rejects.toThrow('busy with run 1');
    expect((await ask('run 2')).request.attempt).toBe(2);
    const answered = await answerHandover(authority, first, STOPPED, by());
    expect(answered.answer.outcome).toBe('withdrawn');
  });

  it('it has stopped for a run that is gone: nobody asks once more for a generation that is about to be raised', async () => {
    await answerHandover(authority, await ask('run 1'), STOPPED, by());
    await expect(ask('run 2')).rejects.toThrow('busy with run 1');
  });

  it('the whole store is read back: requests and answers are judged like all records, under their own names', async () => {
    const handover = await ask('run 1');
    await answerHandover(authority, handover, STOPPED, by());
    for (const key of [handoverKeyOf(2, 1), handoverAnswerKeyOf(2, 1)]) {
      const bytes = await vault.store.get(key);
      expect(checkRecord(authority, key, bytes)).toBe(true);
      expect(() => checkRecord(authority, key.replace('0001', '0002'), bytes)).toThrow(/written as/);
    }
    expect((await newestGeneration(authority))?.n).toBe(1);
  });
});
