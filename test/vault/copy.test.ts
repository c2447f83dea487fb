import { rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import type { Store } from '../../src/stores/store.ts';
import { clearSettledCopies } from '../../src/vault/copy/settled.ts';
import { openCopy, type VaultCopy } from '../../src/vault/copy/copy.ts';
import { NAMESPACES, signerOf, signRecord } from '../../src/vault/envelope.ts';
import { tombstoneBytes } from '../../src/vault/manifest.ts';
import { joinVault } from '../../src/vault/join.ts';
import { readHolds, writeHold } from '../../src/vault/sweep/holds.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { initVault, openReaderVault, parseChunkIdKey } from '../../src/vault/index.ts';
import { keysIn } from '../../src/vault/listed.ts';
import {
  artifactOf,
  backUp,
  makeTestVault,
  noise,
  openDirectory,
  readAll,
  streamSegment,
  SYSTEM,
} from '../support/vault.ts';
import type { TestVault } from '../support/vault.ts';

const signal = new AbortController().signal;
const quiet = (): void => undefined;
const ALL = (): boolean => true;

/** A second store of the same vault. */
async function secondStore(vault: TestVault, name = 'second'): Promise<{ store: Store; path: string }> {
  const path = join(vault.directory, name);
  const store = await openDirectory(path);
  await joinVault(vault.store, store, SYSTEM);
  return { store, path };
}

function copyInto(
  vault: TestVault,
  target: Store,
  sources: readonly Store[] = [vault.store],
  abort = signal,
): Promise<VaultCopy> {
  return openCopy({
    target,
    sources,
    system: SYSTEM,
    rootFingerprint: vault.keys.root.fingerprint,
    signerKey: vault.keys.signer.privateKey,
    signal: abort,
    atOnce: 2,
  });
}

async function copyAll(vault: TestVault, target: Store, sources?: readonly Store[]): Promise<VaultCopy> {
  const copy = await copyInto(vault, target, sources);
  for (const one of await copy.survey(ALL)) if (!one.there) await copy.copy(one.manifestKey, quiet);
  return copy;
}

async function backUpBytes(vault: TestVault, captureId: string, bytes: Uint8Array, store?: Store) {
  const writer = await vault.writer(store === undefined ? {} : { store });
  try {
    return await backUp(writer, { captureId, artifacts: [artifactOf('dump', [streamSegment(bytes, 'fixed')])] });
  } finally {
    await writer.close();
  }
}

/** What a restore from this store alone gives, after a verification of content that finds nothing bad. */
async function restored(vault: TestVault, store: Store, manifestKey: string): Promise<Buffer> {
  const reader = await vault.reader({ store });
  try {
    const proof = await reader.verifyContent(manifestKey, { signal });
    expect(proof).toMatchObject({ ok: true, bad: [] });
    const [dump] = await (await reader.open(manifestKey)).artifacts('ledger');
    return await readAll(dump);
  } finally {
    await reader.close();
  }
}

describe('a copy of a backup in another store', () => {
  test('[G1] [B6] nothing goes wrong: byte for byte the same, restored from there alone, and verified after the transfer', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const data = noise(3, 3_500_000);
    const made = await backUpBytes(vault, 'run-1', data);
    const copy = await copyAll(vault, store);
    for (const room of ['chunks/', 'lists/', 'sums/', 'backups/', 'keys/', 'signers/']) {
      const keys = await keysIn(vault.store, room);
      expect(await keysIn(store, room)).toEqual(keys);
      for (const key of keys) expect(Buffer.compare(await store.get(key), await vault.store.get(key)), key).toBe(0);
    }
    expect(copy.tally).toMatchObject({ replaced: 0, objects: expect.any(Number) as number });
    expect((await copy.verify(made.manifestKey, quiet)).ok).toBe(true);
    expect((await restored(vault, store, made.manifestKey)).equals(Buffer.from(data))).toBe(true);
    const reader = await vault.reader({ store });
    const [entry] = await reader.catalogue();
    expect(entry).toMatchObject({
      sha256: made.sha256,
      trust: { ok: true },
      proofs: [{ level: 'presence', ok: true }],
    });
    await reader.close();
  });

  test('a second one: only what changed is sent, and a repeat sends nothing', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const data = noise(4, 5_000_000);
    await backUpBytes(vault, 'run-1', data);
    const first = await copyAll(vault, store);
    data[5] = (data[5] ?? 0) ^ 1;
    const made = await backUpBytes(vault, 'run-2', data);
    const second = await copyAll(vault, store);
    expect(second.tally.bytes).toBeLessThan(first.tally.bytes / 3);
    const third = await copyInto(vault, store);
    expect((await third.survey(ALL)).filter(({ there }) => !there)).toEqual([]);
    expect(await third.copy(made.manifestKey, quiet)).toBe('there');
    expect(third.tally).toEqual({ objects: 0, bytes: 0, replaced: 0 });
  });

  test('ended in the middle: nothing of it is to be seen, and the next attempt sends only the rest', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const data = noise(5, 14_000_000);
    const made = await backUpBytes(vault, 'run-1', data);
    const stop = new AbortController();
    const copy = await copyInto(vault, store, [vault.store], stop.signal);
    const broken = copy.copy(made.manifestKey, ({ objects }) => {
      if (objects >= 4) stop.abort(new Error('killed'));
    });
    await expect(broken).rejects.toThrow('killed');
    const sent = (await Promise.all(['chunks/', 'lists/', 'sums/'].map((room) => keysIn(store, room)))).flat().length;
    expect(sent).toBeGreaterThan(3);
    expect(await keysIn(store, 'backups/')).toEqual([]);
    expect(await keysIn(store, 'captures/')).toHaveLength(1);
    const again = await copyAll(vault, store);
    const all = (await Promise.all(['chunks/', 'lists/', 'sums/'].map((room) => keysIn(vault.store, room)))).flat();
    expect(again.tally.objects).toBe(all.length - sent);
    expect((await restored(vault, store, made.manifestKey)).equals(Buffer.from(data))).toBe(true);
  });

  test('two at once: both end well, and everything is there once', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const data = noise(6, 5_000_000);
    const made = await backUpBytes(vault, 'run-1', data);
    await Promise.all([copyAll(vault, store), copyAll(vault, store)]);
    expect((await restored(vault, store, made.manifestKey)).equals(Buffer.from(data))).toBe(true);
  });

  test('damaged and missing in one source: taken from another that has it whole; nowhere whole: nothing is committed', async () => {
    await using vault = await makeTestVault();
    const { store: second } = await secondStore(vault);
    const { store: third } = await secondStore(vault, 'third');
    const data = noise(7, 3_500_000);
    const made = await backUpBytes(vault, 'run-1', data);
    await copyAll(vault, second);
    const [one = '', other = ''] = await keysIn(vault.store, 'chunks/');
    await truncate(join(vault.storePath, one), 1000);
    await rm(join(vault.storePath, other));
    await copyAll(vault, third, [vault.store, second]);
    expect((await restored(vault, third, made.manifestKey)).equals(Buffer.from(data))).toBe(true);

    const { store: fourth } = await secondStore(vault, 'fourth');
    const copy = await copyInto(vault, fourth);
    await expect(copy.copy(made.manifestKey, quiet)).rejects.toMatchObject({ code: /ObjectCorrupt|ObjectMissing/ });
    expect(await keysIn(fourth, 'backups/')).toEqual([]);
  });

  test('damage in the target: found when it is verified, and healed from the source', async () => {
    await using vault = await makeTestVault();
    const { store, path } = await secondStore(vault);
    const data = noise(8, 3_500_000);
    const made = await backUpBytes(vault, 'run-1', data);
    await copyAll(vault, store);
    const [one = '', other = ''] = await keysIn(store, 'chunks/');
    await writeFile(join(path, one), 'not it');
    await rm(join(path, other));
    const copy = await copyInto(vault, store);
    expect(await copy.verify(made.manifestKey, quiet)).toMatchObject({ ok: true, bad: [] });
    expect(copy.tally).toMatchObject({ objects: 2, replaced: 1 });
    expect((await restored(vault, store, made.manifestKey)).equals(Buffer.from(data))).toBe(true);
  });

  test('captured into both while they were out of reach of one another: both get the other backup, and both are whole', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const data = noise(9, 3_500_000);
    // The same content, sealed twice.
    const here = await backUpBytes(vault, 'run-1', data);
    const there = await backUpBytes(vault, 'run-2', data, store);
    await copyAll(vault, store);
    await copyAll(vault, vault.store, [store]);
    for (const one of [vault.store, store]) {
      const copy = await copyInto(vault, one, [one === store ? vault.store : store]);
      for (const { manifestKey } of [here, there]) {
        expect(await copy.verify(manifestKey, quiet)).toMatchObject({ ok: true, bad: [] });
        expect((await restored(vault, one, manifestKey)).equals(Buffer.from(data))).toBe(true);
      }
      expect(copy.tally.replaced).toBe(0);
      const reader = await vault.reader({ store: one });
      // One chain: whichever store took a backup, it follows the one before.
      expect((await reader.catalogue()).map(({ body, notes }) => [body.sequence, notes])).toEqual([
        [2, undefined],
        [1, undefined],
      ]);
      await reader.close();
    }
  });

  test('a sweep of the target has settled the copy: it says so and commits nothing', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const made = await backUpBytes(vault, 'run-1', noise(10, 1_000_000));
    const writer = await vault.writer({ store });
    await writer.abandon(made.ticket);
    await writer.close();
    const copy = await copyInto(vault, store);
    expect((await copy.survey(ALL)).map(({ there }) => there)).toEqual([false]);
    await expect(copy.copy(made.manifestKey, quiet)).rejects.toMatchObject({ code: 'CaptureSuperseded' });
  });

  test('a copy that a sweep has settled a day ago begins again; a capture that was settled, or a copy settled just now, does not', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const signer = signerOf(vault.keys.signer.privateKey);
    const made = [
      await backUpBytes(vault, 'run-1', noise(10, 100_000)),
      await backUpBytes(vault, 'run-2', noise(11, 100_000)),
      // Of the third a process died between the removal of its record and that of its tombstone.
      await backUpBytes(vault, 'run-3', noise(12, 100_000)),
    ];
    for (const [index, { ticket }] of made.entries()) {
      const { captureId, backupId, manifestKey, plan, epoch, startedAt } = ticket;
      const common = {
        format: 1,
        vaultId: vault.vaultId,
        captureId,
        backupId,
        manifestKey,
        plan,
        epoch,
        startedAt,
      } as const;
      const record = { ...common, signer: signer.fingerprint, ...(index === 0 ? { copy: true } : {}) };
      if (index < 2) {
        await store.put(`captures/${backupId}.json`, signRecord(record, NAMESPACES.capture, signer), {
          createOnly: true,
        });
      }
      const stone = { vaultId: vault.vaultId, manifestKey, captureId, why: 'swept', atMs: Date.now() } as const;
      await store.put(manifestKey, tombstoneBytes(stone, signer), { createOnly: true });
    }
    const signal = new AbortController().signal;
    expect(await clearSettledCopies(store, signal)).toBe(0);
    const path = (key: string): string => store.localPath?.(key) ?? '';
    const old = new Date(Date.now() - 2 * 86_400_000);
    for (const { manifestKey } of made) await utimes(path(manifestKey), old, old);
    expect(await clearSettledCopies(store, signal)).toBe(2);
    const copy = await copyInto(vault, store);
    for (const index of [0, 2]) expect(await copy.copy(made[index]?.manifestKey ?? '', quiet)).toBe('copied');
    await expect(copy.copy(made[1]?.manifestKey ?? '', quiet)).rejects.toMatchObject({ code: 'CaptureSuperseded' });
  });

  test('a hold and a release that came after the copy: both are carried, for backups that are there', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const signer = signerOf(vault.keys.signer.privateKey);
    const made = await backUpBytes(vault, 'run-1', noise(13, 100_000));
    const copy = await copyAll(vault, store);
    const late = await backUpBytes(vault, 'run-2', noise(14, 100_000));
    const given = { vaultId: vault.vaultId, signer, atMs: Date.now() };
    const hold = { manifestKey: made.manifestKey, why: 'case 7', by: 'anna' };
    const key = await writeHold(vault.store, given, hold);
    await writeHold(vault.store, given, { ...hold, manifestKey: late.manifestKey });
    const roots = await readTrustRoots(store, vault.vaultId, vault.keys.root.fingerprint);
    const held = async (): Promise<string[]> => [...(await readHolds(store, { ...given, roots })).keys()];
    await copy.carryHolds(new Set([made.ticket.backupId]));
    expect(await held()).toEqual([made.ticket.backupId]);
    await writeHold(vault.store, given, { ...hold, why: 'closed', releases: key });
    await copy.carryHolds(new Set([made.ticket.backupId]));
    expect(await held()).toEqual([]);
  });

  test('a sweep of the target is deleting: nothing is begun', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const made = await backUpBytes(vault, 'run-1', noise(11, 1_000_000));
    await store.put('sweeps/20260101T000000Z-a/deleting.json', Buffer.from('{}\n'), { createOnly: true });
    const copy = await copyInto(vault, store);
    await expect(copy.copy(made.manifestKey, quiet)).rejects.toMatchObject({ code: 'SweepRunning' });
    expect(await keysIn(store, 'captures/')).toEqual([]);
  });
});

describe('one vault in several stores', () => {
  test('a store was lost and made again under its name: a host that knew it stores everything there anew', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const data = noise(15, 3_000_000);
    await backUpBytes(vault, 'run-1', data);
    for (const room of ['chunks', 'lists', 'sums', 'backups', 'captures', 'holdfast.json']) {
      await rm(join(vault.storePath, room), { recursive: true, force: true });
    }
    const again = await openDirectory(vault.storePath);
    await joinVault(store, again, SYSTEM);
    const made = await backUpBytes(vault, 'run-2', data, again);
    expect((await restored(vault, again, made.manifestKey)).equals(Buffer.from(data))).toBe(true);
  });

  test('a store that was added: the same id, signers and keys, and made again it stays as it is', async () => {
    await using vault = await makeTestVault();
    const empty = await vault.emptyStore();
    expect(await joinVault(vault.store, empty, SYSTEM)).toEqual({ vaultId: vault.vaultId, created: true });
    expect(await joinVault(vault.store, empty, SYSTEM)).toEqual({ vaultId: vault.vaultId, created: false });
    expect(await keysIn(empty, '')).toEqual(await keysIn(vault.store, ''));
  });

  test('a vault of another id: refused as a target, with what to do', async () => {
    await using vault = await makeTestVault();
    const empty = await vault.emptyStore();
    const { keys } = vault;
    const recipients = [keys.operations.recipient, keys.escrow.recipient];
    const chunkIdKey = parseChunkIdKey(keys.chunkIdKey);
    await initVault({
      store: empty,
      system: SYSTEM,
      recipients,
      chunkIdKey,
      rootKey: keys.root.privateKey,
      signers: [],
    });
    await expect(copyInto(vault, empty)).rejects.toMatchObject({ code: 'NotAVault' });
    await expect(joinVault(vault.store, empty, SYSTEM)).rejects.toMatchObject({ code: 'NotAVault' });
    await expect(copyInto(vault, empty)).rejects.toThrow(vault.vaultId);
  });

  test('keys of the vault are enough to read a copy: no other store is asked', async () => {
    await using vault = await makeTestVault();
    const { store } = await secondStore(vault);
    const data = noise(12, 500_000);
    const made = await backUpBytes(vault, 'run-1', data);
    await copyAll(vault, store);
    await rm(vault.storePath, { recursive: true });
    const { escrow, root } = vault.keys;
    const keys = { identities: [escrow.identity], rootFingerprint: root.fingerprint };
    const reader = await openReaderVault({ store, system: SYSTEM, keys });
    const [dump] = await (await reader.open(made.manifestKey)).artifacts('ledger');
    expect((await readAll(dump)).equals(Buffer.from(data))).toBe(true);
    await reader.close();
  });
});
