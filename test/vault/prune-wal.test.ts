/** What a prune removes of a write-ahead log, and what it must leave. */
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BasePoint } from '../../src/policy/reachable.ts';
import { keysIn } from '../../src/vault/listed.ts';
import { basesToKeepLogFor, pruneWal } from '../../src/vault/sweep/prune-wal.ts';
import type { Surveyed } from '../../src/vault/sweep/prune-survey.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { makeTestVault, noise } from '../support/vault.ts';

const MIB = 1024 * 1024;
const SEGMENT = 8 * MIB;

test('[G2] pieces before the oldest kept base and those that a block covers go; gaps, other clusters and histories stay', async () => {
  await using vault = await makeTestVault();
  const writer = await vault.walWriter('main');
  const log = noise(3, 3 * SEGMENT);
  const store = (systemIdentifier: string, from: number, to: number): Promise<unknown> =>
    writer.storeRange({
      systemIdentifier,
      timeline: 1,
      segmentBytes: SEGMENT,
      from: BigInt(SEGMENT + from),
      bytes: log.slice(from, to),
      receivedAtMs: Date.now(),
      coversUntilMs: Date.now(),
    });
  // Before the base, a block with the pieces it grew from, an unfinished block, and a cluster without a base.
  await store('71', 0, 4 * MIB);
  await store('71', 4 * MIB, 4 * MIB + 1000);
  await store('71', SEGMENT, SEGMENT + 1000);
  await store('71', SEGMENT + 1000, SEGMENT + 5000);
  await store('71', SEGMENT, SEGMENT + 4 * MIB);
  await store('71', SEGMENT + 4 * MIB, SEGMENT + 4 * MIB + 700);
  await store('72', 0, 4 * MIB);
  await writer.close();
  // Somebody wrote a longer piece that is none: it covers nothing.
  const torn = [...(await keysIn(vault.store, 'wal/main/71/'))].find(
    (key) => key.includes('700') || key.endsWith('02BC'),
  );
  expect(torn).toBeDefined();
  await vault.store.put(String(torn).replace(/02BC$/, '0FFF'), Buffer.from('no record'), { createOnly: true });
  const before = await keysIn(vault.store, 'wal/');
  const old = new Date(Date.now() - 3 * 86_400_000);
  for (const key of before) await utimes(join(vault.storePath, key), old, old);

  const roots = await readTrustRoots(vault.store, vault.vaultId, vault.keys.root.fingerprint);
  const at = BigInt(2 * SEGMENT);
  const base: BasePoint = { backup: 'b', systemIdentifier: '71', timeline: 1, startLsn: at, endLsn: at, endedAtMs: 0 };
  const removed = await pruneWal(
    { store: vault.store, vaultId: vault.vaultId, roots },
    {
      bases: new Map([['main', [base]]]),
      olderThanMs: Date.now() - 86_400_000,
      signal: new AbortController().signal,
      report: () => undefined,
    },
  );
  expect(removed.objects).toBe(4);
  const left = await keysIn(vault.store, 'wal/');
  const ends = left.map((key) => key.split('.').at(-1));
  const lsn = (value: number): string => value.toString(16).toUpperCase().padStart(16, '0');
  const block = 2 * SEGMENT + 4 * MIB;
  expect(ends).toEqual([
    `${lsn(2 * SEGMENT)}-${lsn(block)}`,
    `${lsn(block)}-${lsn(block + 700)}`,
    `${lsn(block)}-${lsn(block + 0xfff)}`,
    `${lsn(SEGMENT)}-${lsn(SEGMENT + 4 * MIB)}`,
  ]);
});

test('[G2] a base backup that is not trusted at present, or a safety backup: it keeps its own log, and lets none go', () => {
  const backup = (systemIdentifier: string, lsn: bigint, about: Partial<Surveyed['fact']> = {}): Surveyed => ({
    fact: {
      key: `backups/main/${lsn}`,
      plan: 'main',
      purpose: 'backup',
      startedAtMs: 0,
      finishedAtMs: 0,
      signer: 'SHA256:x',
      sequence: 1,
      storedAtMs: 0,
      holds: [],
      ...about,
    },
    sha256: '',
    backupId: String(lsn),
    sums: [],
    bases: [
      {
        component: 'main',
        base: { backup: String(lsn), systemIdentifier, timeline: 1, startLsn: lsn, endLsn: lsn, endedAtMs: 0 },
      },
    ],
  });
  const bases = basesToKeepLogFor([
    backup('71', 500n),
    backup('71', 300n, { untrusted: 'its signer is not known' }),
    backup('71', 200n, { purpose: 'safety' }),
    backup('72', 900n, { untrusted: 'its signer is not known' }),
  ]);
  expect(bases.get('main')?.map(({ startLsn }) => startLsn)).toEqual([500n, 300n, 200n]);
});
