/** A prune of a real vault cleans keys of epochs that nothing uses and what was put aside long ago, and nothing else. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateAgeIdentity } from '../../src/seal/index.ts';
import { signerOf } from '../../src/vault/envelope.ts';
import { ensureKeyRecord, epochName } from '../../src/vault/epoch.ts';
import { parseChunkIdKey } from '../../src/vault/index.ts';
import { keysIn } from '../../src/vault/listed.ts';
import { decideLeftovers } from '../../src/vault/sweep/leftovers.ts';
import { sweepNameOf } from '../../src/vault/sweep/sweep-records.ts';
import { condemn, sweep, type SweepContext } from '../../src/vault/sweep/sweep.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { NamedObjects } from '../../src/vault/named-objects.ts';
import { badOf, look } from '../support/bit-rot.ts';
import { artifactOf, backUp, captureInto, commitOf, makeTestVault, noise, recipeSegment } from '../support/vault.ts';
import type { TestVault } from '../support/vault.ts';

const never = new AbortController().signal;
let vault: TestVault;
let current: string;

beforeAll(async () => {
  vault = await makeTestVault();
  current = epochName([vault.keys.operations.recipient, vault.keys.escrow.recipient]);
});

afterAll(async () => {
  await vault[Symbol.asyncDispose]();
});

async function context(run: string): Promise<SweepContext> {
  const { store, vaultId, keys } = vault;
  const roots = await readTrustRoots(store, vaultId, keys.root.fingerprint);
  return {
    from: { store, vaultId, roots },
    author: { vaultId, signer: signerOf(keys.signer.privateKey), host: 'host-a' },
    name: sweepNameOf(Date.now(), run),
    signal: never,
    report: () => undefined,
    lingerMs: 0,
    currentEpoch: current,
    leftoverAges: { minimumAgeSeconds: 0, asideSeconds: 0 },
  };
}

async function prune(run: string) {
  const own = await context(run);
  await condemn(own, { manifests: [], minimumAgeSeconds: 0 });
  return sweep(own, { patienceMs: 0, pollMs: 10 });
}

/** The key of an epoch of other recipients. */
async function otherEpoch(): Promise<string> {
  const { store, vaultId, keys } = vault;
  const recipients = [generateAgeIdentity().recipient, generateAgeIdentity().recipient];
  const chunkIdKey = parseChunkIdKey(randomBytes(32).toString('hex'));
  await ensureKeyRecord(store, vaultId, { recipients, chunkIdKey }, signerOf(keys.signer.privateKey));
  return epochName(recipients);
}

const artifacts = (seed: number) => [artifactOf('tree.tar', [recipeSegment(`f${seed}`, [noise(seed, 20_000)])])];

describe('[G4] what a prune cleans', () => {
  test('epochs: the one of today stays, one that nothing names goes, and a capture puts its key back', async () => {
    const writer = await vault.writer();
    await backUp(writer, { captureId: 'one', artifacts: artifacts(1) });
    const other = await otherEpoch();
    expect((await keysIn(vault.store, 'keys/')).toSorted()).toEqual([`keys/${current}`, `keys/${other}`].toSorted());
    expect(await prune('first')).toMatchObject({ outcome: 'swept', leftovers: 1 });
    expect(await keysIn(vault.store, 'keys/')).toEqual([`keys/${current}`]);
    // As if the recipients were others for a time, and these again.
    await vault.store.delete(`keys/${current}`);
    const ticket = await writer.begin({ captureId: 'two', plan: 'daily', startedAtMs: Date.now() });
    expect(await keysIn(vault.store, 'keys/')).toEqual([`keys/${current}`]);
    // While it is open, another epoch is the one of today: the sweep gives way, and its key stays.
    const own = { ...(await context('second')), currentEpoch: other };
    await condemn(own, { manifests: [], minimumAgeSeconds: 0 });
    expect(await sweep(own, { patienceMs: 0, pollMs: 10 })).toMatchObject({ outcome: 'gave-way', leftovers: 0 });
    const { refs, counts } = await captureInto(writer, ticket, { artifacts: artifacts(2) });
    await commitOf(writer, ticket, refs, counts);
    await writer.close();
    const decided = await decideLeftovers(own.from, {
      currentEpoch: other,
      named: new NamedObjects(),
      nowMs: Date.now(),
      minimumAgeSeconds: 0,
      signal: never,
    });
    expect(decided).toEqual([{ key: `keys/${current}`, keep: true, why: 'a backup names it' }]);
    expect(badOf(await look(vault, { withIdentity: true }))).toEqual([]);
  });

  test('put aside: gone when the object is good again, kept while it is missing from what is needed', async () => {
    const [chunk = ''] = await keysIn(vault.store, 'chunks/');
    const good = await vault.store.get(chunk);
    await vault.store.put(chunk, Buffer.from('rotten'), { createOnly: false });
    expect(badOf(await look(vault, { others: [] }))).toMatchObject([{ key: chunk, outcome: 'removed' }]);
    expect((await keysIn(vault.store, 'quarantine/')).length).toBe(2);
    await prune('third');
    expect((await keysIn(vault.store, 'quarantine/')).length).toBe(2);
    // A capture meets its content again; the look after that finds it good.
    await vault.store.put(chunk, good, { createOnly: true });
    expect(badOf(await look(vault, { others: [] }))).toEqual([]);
    const young = { ...(await context('fourth')), leftoverAges: { minimumAgeSeconds: 0 } };
    await condemn(young, { manifests: [], minimumAgeSeconds: 0 });
    expect(await sweep(young, { patienceMs: 0, pollMs: 10 })).toMatchObject({ leftovers: 0 });
    expect(await prune('fifth')).toMatchObject({ outcome: 'swept', leftovers: 2 });
    expect(await keysIn(vault.store, 'quarantine/')).toEqual([]);
    expect(badOf(await look(vault, { withIdentity: true }))).toEqual([]);
  });
});
