/** Generations and renewals in an authority store: who wins, what a repeat does, and what can't be believed. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../src/failures.ts';
import { fencedFromMs, rememberRenewals } from '../../../src/policy/failover/lease.ts';
import { generateSshKeyPair } from '../../../src/seal/index.ts';
import type { Store } from '../../../src/stores/index.ts';
import { NAMESPACES, signRecord, signerOf } from '../../../src/vault/envelope.ts';
import type { Envelope } from '../../../src/vault/formats.ts';
import {
  clearGeneration,
  generationKeyOf,
  newestGeneration,
  raiseGeneration,
  readGenerations,
  type Authority,
  type Raised,
} from '../../../src/vault/sites/generation.ts';
import { giveGenerationBack } from '../../../src/vault/sites/give-back.ts';
import { removeOldRenewals, renewalsOfOthers, writeRenewal } from '../../../src/vault/sites/renewal.ts';
import { readTrustRoots } from '../../../src/vault/trust.ts';
import { checkRecord } from '../../../src/vault/verify/record-check.ts';
import { makeTestVault, type TestVault } from '../../support/vault.ts';
import { watched } from '../../support/watched-store.ts';

const TIMES = { leaseMs: 60_000, stopMs: 20_000 };
const FRANKFURT = { site: 'frankfurt', host: 'f1' };

let vault: TestVault;
let authority: Authority;

beforeEach(async () => {
  vault = await makeTestVault();
  const { store, vaultId, keys } = vault;
  authority = { store, vaultId, roots: await readTrustRoots(store, vaultId, keys.root.fingerprint) };
});

afterEach(() => vault[Symbol.asyncDispose]());

const by = () => ({ signer: signerOf(vault.keys.signer.privateKey), atMs: Date.now() });

function raise(n: number, site: string, raiseId = `${site}-${n}`): Promise<Raised> {
  return raiseGeneration(authority, { n, site, raiseId, by: 'ana' }, by());
}

function renew(place = FRANKFURT, after?: number): Promise<number> {
  return writeRenewal(authority, place, { times: TIMES, ...by(), ...(after === undefined ? {} : { after }) });
}

describe('generations', () => {
  it('none, the first, cleared, the next: the newest counts, and each names the one before', async () => {
    expect(await newestGeneration(authority)).toBeUndefined();
    const first = await raise(1, 'frankfurt');
    if (first.kind !== 'raised') throw new Error('nobody else was there');
    expect(first.record.cleared).toBeUndefined();
    const cleared = await clearGeneration(authority, first.record, { fencing: 'first', evidence: 'init' }, by());
    expect(cleared.cleared).toMatchObject({ fencing: 'first', evidence: 'init' });
    await raise(2, 'ohio');
    expect(await newestGeneration(authority)).toMatchObject({ n: 2, site: 'ohio', previousSha256: cleared.sha256 });
    expect((await readGenerations(authority)).map(({ n, site }) => `${n} ${site}`)).toEqual(['1 frankfurt', '2 ohio']);
  });

  it('both sites raise at once, twenty times: exactly one has each number, and both are told which', async () => {
    await raise(1, 'frankfurt');
    for (let n = 2; n <= 21; n += 1) {
      const both = await Promise.all([raise(n, 'ohio'), raise(n, 'frankfurt')]);
      expect(both.map(({ kind }) => kind).toSorted()).toEqual(['raised', 'taken']);
      const [won, lost] = both.toSorted((one, other) => (one.kind < other.kind ? -1 : 1));
      expect(lost).toMatchObject({ by: { site: won?.kind === 'raised' ? won.record.site : '' } });
    }
  });

  it('a raise is repeated after its answer was lost: it finds its own, another one does not', async () => {
    await raise(1, 'frankfurt', 'run-7');
    expect((await raise(1, 'frankfurt', 'run-7')).kind).toBe('raised');
    expect((await raise(1, 'frankfurt', 'run-8')).kind).toBe('taken');
  });

  it('clearing twice: what stands there first counts', async () => {
    const raised = await raise(1, 'frankfurt');
    if (raised.kind !== 'raised') throw new Error('nobody else was there');
    await clearGeneration(authority, raised.record, { fencing: 'lease', evidence: 'waited 88 s' }, by());
    const again = await clearGeneration(authority, raised.record, { fencing: 'attested', evidence: 'ana' }, by());
    expect(again.cleared?.fencing).toBe('lease');
  });

  it.each([
    ['an unknown key', 'signed by a key that nobody admitted'],
    ['an edited record', 'edited'],
    ['a record under another number', 'renamed'],
  ])('%s is the newest: nobody knows who is active, and the older one is no answer', async (_, how) => {
    await raise(1, 'frankfurt');
    const file = (n: number): string => path.join(vault.storePath, generationKeyOf(n));
    const text = await readFile(file(1), 'utf8');
    if (how === 'edited') await writeFile(file(1), text.replace('frankfurt', 'ohio'));
    else if (how === 'renamed') await writeFile(file(2), text);
    else {
      const stranger = signerOf(generateSshKeyPair('stranger').privateKey);
      const raising = raiseGeneration(authority, { n: 2, site: 'ohio', raiseId: 'x' }, { ...by(), signer: stranger });
      await expect(raising).rejects.toMatchObject({ code: 'Untrusted' });
      expect((await newestGeneration(authority))?.n).toBe(1);
      // Whoever may write into the store need not ask.
      const body = { ...(JSON.parse((JSON.parse(text) as Envelope).body) as object), key: generationKeyOf(2), n: 2 };
      const forged = signRecord({ ...body, signer: stranger.fingerprint }, NAMESPACES.generation, stranger);
      await vault.store.put(generationKeyOf(2), forged, { createOnly: true });
    }
    await expect(newestGeneration(authority)).rejects.toMatchObject({ code: 'Untrusted' });
  });

  it('one in the middle is gone: the newest still counts, and the history says that it is broken', async () => {
    for (const n of [1, 2, 3]) await raise(n, 'frankfurt');
    await vault.store.delete(generationKeyOf(2));
    expect((await newestGeneration(authority))?.n).toBe(3);
    await expect(readGenerations(authority)).rejects.toMatchObject({ code: 'Untrusted' });
  });

  it('the whole store is read back: generations and renewals are judged like all records', async () => {
    await raise(1, 'frankfurt');
    const key = generationKeyOf(1);
    const bytes = await vault.store.get(key);
    expect(checkRecord(authority, key, bytes)).toBe(true);
    expect(() => checkRecord(authority, generationKeyOf(2), bytes)).toThrow(/written as|calls itself|name/);
  });
});

describe('a takeover that is given up', () => {
  const withPut = (put: Store['put']): Authority => ({
    ...authority,
    store: Object.assign(watched(vault.store), { put }),
  });
  const cleared = { fencing: 'lease', evidence: 'it never ran' } as const;
  const order = { n: 2, raiseId: 'run-7', toSite: 'frankfurt', before: 1 };
  const back = (more = {}, from = authority) => giveGenerationBack(from, { ...order, ...more }, cleared, by());
  const newest = async (): Promise<string> => {
    const found = await newestGeneration(authority);
    return `${found?.n} ${found?.site} ${found?.cleared === undefined ? 'raised' : 'cleared'}`;
  };

  it('[M7] its raise was lost on the way and lands when all is given back: it loses, and the site before is active', async () => {
    await raise(1, 'frankfurt');
    // The request that nobody has an answer to lies on the network until it is let go.
    const landed = Promise.withResolvers<undefined>();
    const late = withPut(async (...args) => {
      await landed.promise;
      return vault.store.put(...args);
    });
    const raising = raiseGeneration(late, { n: 2, site: 'ohio', raiseId: 'run-7' }, by());
    expect(await back()).toEqual({ n: 2, site: 'frankfurt', did: 'withheld' });
    landed.resolve(undefined);
    expect(await raising).toMatchObject({ kind: 'taken', by: { site: 'frankfurt' } });
    expect([await newest(), await back()]).toEqual([
      '2 frankfurt cleared',
      { n: 2, site: 'frankfurt', did: 'withheld' },
    ]);
  });

  it('[M7] it lands just before its number is taken, once and again for another backup: both are given back', async () => {
    await raise(1, 'frankfurt');
    let writes = 0;
    const overtaken = withPut(async (...args) => {
      writes += 1;
      if (writes <= 2) await raise(writes + 1, 'ohio', writes === 1 ? 'run-7' : 'run-7/1');
      return vault.store.put(...args);
    });
    expect(await back({}, overtaken)).toEqual({ n: 4, site: 'frankfurt', did: 'given-back' });
    expect([await newest(), await back()]).toEqual([
      '4 frankfurt cleared',
      { n: 4, site: 'frankfurt', did: 'given-back' },
    ]);
  });

  it('somebody else has raised since, or nothing was ever asked for: left as it is; the number can not be taken: told', async () => {
    await raise(1, 'frankfurt');
    expect(await back({ n: 1 })).toEqual({ n: 1, site: 'frankfurt', did: 'theirs' });
    const denied = withPut(() => Promise.reject(new HoldfastError('StoreDenied', 'read only')));
    expect(await back({}, denied)).toMatchObject({ n: 1, did: 'open', why: 'read only' });
    await raise(2, 'third', 'run-77');
    expect(await back()).toEqual({ n: 2, site: 'third', did: 'theirs' });
    await raise(3, 'ohio', 'run-7');
    await expect(back({ n: 3 }, denied)).rejects.toMatchObject({ code: 'StoreDenied' });
  });
});

describe('renewals', () => {
  it('another site sees one for each guard; each new one is another mark, with the times that are in force there', async () => {
    await renew();
    await renew({ site: 'frankfurt', host: 'f2' });
    await renew({ site: 'ohio', host: 'o1' });
    const first = await renewalsOfOthers(authority, 'ohio');
    expect(first).toMatchObject([
      { host: 'renewals/frankfurt/f1', times: TIMES },
      { host: 'renewals/frankfurt/f2', times: TIMES },
    ]);
    await renew();
    const seen = rememberRenewals(rememberRenewals([], first, 1000), await renewalsOfOthers(authority, 'ohio'), 9000);
    expect(seen.map(({ firstSeenMs }) => firstSeenMs)).toEqual([9000, 1000]);
    expect(fencedFromMs(seen)).toBe(9000 + 88_000);
  });

  it('a guard starts again and its last request comes late: numbers are never used twice, and every one is another mark', async () => {
    expect(await renew()).toBe(1);
    expect(await renew(FRANKFURT, 1)).toBe(2);
    // A process that knows nothing of those before, and one that still believes to be at the first.
    expect(await renew()).toBe(3);
    const before = await renewalsOfOthers(authority, 'ohio');
    expect(await renew(FRANKFURT, 1)).toBe(4);
    const after = await renewalsOfOthers(authority, 'ohio');
    expect(after[0]?.mark).not.toBe(before[0]?.mark);
  });

  it('old ones are removed, the newest stay, and a list that was seen never comes back', async () => {
    const marks = new Set<string>();
    let n = 0;
    for (let turn = 0; turn < 10; turn += 1) {
      n = await renew(FRANKFURT, n);
      marks.add((await renewalsOfOthers(authority, 'ohio'))[0]?.mark ?? '');
      await removeOldRenewals(authority, FRANKFURT);
      marks.add((await renewalsOfOthers(authority, 'ohio'))[0]?.mark ?? '');
    }
    expect(marks.size).toBeGreaterThan(10);
    expect((await renewalsOfOthers(authority, 'ohio'))[0]?.mark.split('\n')).toHaveLength(3);
  });

  it('one that cannot be believed: nobody knows how long it lasts', async () => {
    await renew();
    const stranger = signerOf(generateSshKeyPair('stranger').privateKey);
    await writeRenewal(authority, FRANKFURT, { times: TIMES, signer: stranger, atMs: Date.now() });
    await expect(renewalsOfOthers(authority, 'ohio')).rejects.toMatchObject({ code: 'Untrusted' });
  });
});
