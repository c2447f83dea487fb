import { cp, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { generateAgeIdentity, generateSshKeyPair, sealBytes, signSsh } from '../../src/seal/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { admitSigner, type ProofBody, type ReaderVault } from '../../src/vault/index.ts';
import { keysIn } from '../../src/vault/listed.ts';
import { artifactOf, backUp, makeTestVault, noise, openDirectory, readAll, streamSegment } from '../support/vault.ts';
import type { MadeBackup, TestVault } from '../support/vault.ts';

const signal = new AbortController().signal;
const data = noise(11, 6 * 1024 * 1024);

let vault: TestVault;
let first: MadeBackup;
let made: MadeBackup;
let chunkKeys: string[];
let copies: string;

beforeAll(async () => {
  vault = await makeTestVault();
  copies = await mkdtemp(join(tmpdir(), 'holdfast-copies-'));
  const writer = await vault.writer();
  const artifacts = [artifactOf('data', [streamSegment(data, 'fixed')])];
  first = await backUp(writer, { captureId: 'run-1', artifacts, startedAtMs: Date.now() - 120_000 });
  made = await backUp(writer, { captureId: 'run-2', artifacts, startedAtMs: Date.now() - 60_000 });
  await backUp(writer, { captureId: 'run-3', artifacts });
  await writer.close();
  chunkKeys = await keysIn(vault.store, 'chunks/');
  // The largest are of the data; the system file's is small.
  const sizes = await Promise.all(chunkKeys.map(async (key) => (await vault.store.head(key))?.sizeBytes ?? 0));
  chunkKeys = chunkKeys.filter((_, index) => (sizes[index] ?? 0) > 500_000);
  expect(chunkKeys).toHaveLength(6);
});

afterAll(async () => {
  await rm(copies, { recursive: true, force: true });
  await vault[Symbol.asyncDispose]();
});

/** A copy of the vault that may be ruined, and what its reader says. */
async function ruined(
  ruin: (path: string, store: Store) => Promise<void>,
  options: { identity?: string; rootFingerprint?: string } = {},
): Promise<{ reader: ReaderVault; path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(copies, 'copy-'));
  await cp(vault.storePath, path, { recursive: true });
  const store = await openDirectory(path);
  await ruin(path, store);
  const reader = await vault.reader({ ...options, store });
  return { reader, path, [Symbol.asyncDispose]: () => reader.close() };
}

async function verdictAfter(ruin: (path: string, store: Store) => Promise<void>): Promise<ProofBody> {
  await using copy = await ruined(ruin);
  return await copy.reader.verifyContent(made.manifestKey, { signal });
}

describe('[M6] [M10] damaged objects: the verdict names each and the rest is checked', () => {
  const cases: { what: string; says: RegExp; code: string; ruin: (path: string) => Promise<void> }[] = [
    { what: 'bit-flipped', code: 'ObjectCorrupt', says: /./, ruin: (path) => flipBit(join(path, chunk(0)), 4_000) },
    { what: 'truncated', code: 'ObjectCorrupt', says: /./, ruin: (path) => truncate(join(path, chunk(0)), 70_000) },
    { what: 'empty', code: 'ObjectCorrupt', says: /./, ruin: (path) => truncate(join(path, chunk(0)), 0) },
    { what: 'missing', code: 'ObjectMissing', says: /./, ruin: (path) => rm(join(path, chunk(0))) },
    {
      what: 'replaced by a decompression bomb',
      code: 'ObjectCorrupt',
      says: /./,
      ruin: async (path) => writeFile(join(path, chunk(0)), bomb()),
    },
    {
      what: 'replaced by another of its age and size',
      code: 'ObjectCorrupt',
      says: /name/,
      ruin: async (path) => writeFile(join(path, chunk(0)), await readFile(join(path, chunk(1)))),
    },
  ];
  test.each(cases)('a chunk $what: $code', async ({ code, says, ruin }) => {
    const proof = await verdictAfter(ruin);
    expect(proof).toMatchObject({ ok: false, bad: [{ key: chunk(0), code }], moreBad: 0 });
    expect(proof.bad[0]?.what).toMatch(says);
    // Six chunks and a list of the data, and one of each for the system file.
    expect(proof.objectsChecked).toBe(9);
  });

  test('two chunks that changed places: both are named, though each is whole', async () => {
    const proof = await verdictAfter(async (path) => {
      await rename(join(path, chunk(0)), join(path, 'aside'));
      await rename(join(path, chunk(1)), join(path, chunk(0)));
      await rename(join(path, 'aside'), join(path, chunk(1)));
    });
    expect(proof.bad.map(({ key }) => key).sort()).toEqual([chunk(0), chunk(1)].sort());
  });

  test('a list that is damaged, or a bomb: named, and the other artifact is checked', async () => {
    const list = listKey();
    for (const bytes of [Buffer.from('nothing of ours'), bomb()]) {
      const proof = await verdictAfter((path) => writeFile(join(path, list), bytes));
      expect(proof).toMatchObject({ ok: false, bad: [{ key: list, code: 'ObjectCorrupt' }] });
      expect(proof.objectsChecked).toBe(3);
    }
  });

  test('a damaged chunk in a restore: the read fails at it and hands out nothing wrong', async () => {
    await using copy = await ruined((path) => flipBit(join(path, chunk(0)), 4_000));
    const [artifact] = await (await copy.reader.open(made.manifestKey)).artifacts('ledger');
    await expect(readAll(artifact)).rejects.toMatchObject({ code: 'ObjectCorrupt' });
  });

  test('presence without any key: missing and shortened objects are named', async () => {
    const path = await mkdtemp(join(copies, 'copy-'));
    await cp(vault.storePath, path, { recursive: true });
    await rm(join(path, chunk(0)));
    await truncate(join(path, chunk(1)), 10);
    const writer = await vault.writer({ store: await openDirectory(path), statePath: join(path, '.state') });
    const proof = await writer.verifyPresence(made.manifestKey, { signal });
    await writer.close();
    const codes = proof.bad.map(({ key, code }) => [key, code]);
    expect(new Map(codes as [string, string][])).toEqual(
      new Map([
        [chunk(0), 'ObjectMissing'],
        [chunk(1), 'ObjectCorrupt'],
      ]),
    );
  });
});

describe('keys', () => {
  test('a wrong identity: it says so at once', async () => {
    const { identity } = generateAgeIdentity();
    await using copy = await ruined(() => Promise.resolve(), { identity });
    await expect(copy.reader.open(made.manifestKey)).rejects.toMatchObject({ code: 'WrongIdentity' });
    await expect(copy.reader.verifyContent(made.manifestKey, { signal })).rejects.toMatchObject({
      code: 'WrongIdentity',
    });
  });

  test('the chunk-id key is lost: everything is restored, and a swapped chunk is still found', async () => {
    await using copy = await ruined((path) => rm(join(path, 'keys'), { recursive: true }));
    const [artifact] = await (await copy.reader.open(made.manifestKey)).artifacts('ledger');
    expect((await readAll(artifact)).equals(data)).toBe(true);
    const proof = await verdictAfter(async (path) => {
      await rm(join(path, 'keys'), { recursive: true });
      await writeFile(join(path, chunk(0)), await readFile(join(path, chunk(1))));
    });
    expect(proof.bad.map(({ key }) => key.split('/')[0])).toEqual(['keys', 'chunks']);
  });
});

describe('manifests that cannot be trusted are listed with the reason and never restored', () => {
  test.each([
    {
      what: 'edited',
      why: /does not fit/,
      ruin: (path: string) => edit(path, (text) => text.replace('host-a', 'host-b')),
    },
    { what: 'cut short', why: /not JSON/, ruin: (path: string) => edit(path, (text) => text.slice(0, 900)) },
    { what: 'no manifest at all', why: /format/, ruin: (path: string) => edit(path, () => '{"hello": "world"}') },
    { what: 'signed by a stranger', why: /not by/, ruin: (path: string) => edit(path, resign) },
    {
      what: 'signed by a stranger in his own name',
      why: /has not admitted/,
      ruin: (path: string) => edit(path, (text) => resign(text, (body, name) => ({ ...body, signer: name }))),
    },
    {
      what: 'replaced by an unsigned tombstone',
      why: /./,
      ruin: (path: string) => edit(path, (text) => resign(text, (body) => ({ ...tombstone(body) }))),
    },
  ])('a manifest $what', async ({ why, ruin }) => {
    await using copy = await ruined(ruin);
    const entry = (await copy.reader.catalogue()).find(({ key }) => key === made.manifestKey);
    expect(entry?.trust).toMatchObject({ ok: false, why: expect.stringMatching(why) as string });
    await expect(copy.reader.open(made.manifestKey)).rejects.toMatchObject({ code: 'Untrusted' });
    const proof = await copy.reader.verifyContent(made.manifestKey, { signal });
    expect(proof).toMatchObject({ ok: false, bad: [{ key: made.manifestKey }] });
  });

  test('a true manifest under a newer name: the replay shows', async () => {
    const later = made.manifestKey.replace(/\d{8}T\d{6}Z/, '20990101T000000Z');
    await using copy = await ruined((path) => cp(join(path, first.manifestKey), join(path, later)));
    const entry = (await copy.reader.catalogue()).find(({ key }) => key === later);
    expect(entry?.trust).toMatchObject({ ok: false, why: expect.stringContaining('was written as') as string });
    await expect(copy.reader.open(later)).rejects.toMatchObject({ code: 'Untrusted' });
  });

  test('another root: nothing counts', async () => {
    const rootFingerprint = generateSshKeyPair('other').fingerprint;
    await using copy = await ruined(() => Promise.resolve(), { rootFingerprint });
    const entries = await copy.reader.catalogue();
    expect(entries.map(({ trust }) => trust.ok)).toEqual([false, false, false]);
  });

  test('a signer whose time is over: later manifests do not count', async () => {
    await using copy = await ruined((_path, store) =>
      admitSigner(store, vault.vaultId, vault.keys.root.privateKey, {
        name: 'host-a',
        publicKey: vault.keys.signer.publicKey,
        role: 'capture',
        validFrom: new Date(Date.now() - 86_400_000),
        validUntil: new Date(Date.now() - 3_600_000),
      }),
    );
    const [entry] = await copy.reader.catalogue();
    expect(entry?.trust).toMatchObject({ ok: false, why: expect.stringContaining('was admitted from') as string });
  });

  test('a manifest removed in between: the next one says that one is missing', async () => {
    await using copy = await ruined((path) => rm(join(path, made.manifestKey)));
    const entries = await copy.reader.catalogue();
    expect(entries.map(({ trust }) => trust.ok)).toEqual([true, true]);
    expect(entries[0]?.notes).toEqual(["before it, its signer's manifest 2 is missing"]);
    await expect(copy.reader.open(made.manifestKey)).rejects.toMatchObject({ code: 'BackupMissing' });
  });
});

function chunk(index: number): string {
  return chunkKeys[index] ?? '';
}

function listKey(): string {
  const root = made.refs[0]?.root ?? '';
  return `lists/${root.slice(0, 2)}/${root}`;
}

/** A small sealed object that unpacks to far more than any chunk or list may hold. */
function bomb(): Uint8Array {
  const { operations, escrow } = vault.keys;
  return sealBytes(new Uint8Array(64 * 1024 * 1024), [operations.recipient, escrow.recipient]);
}

async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

async function edit(path: string, change: (text: string) => string): Promise<void> {
  const file = join(path, made.manifestKey);
  await writeFile(file, change(await readFile(file, 'utf8')));
}

type Body = Record<string, unknown>;

function resign(text: string, change: (body: Body, name: string) => Body = (body) => body): string {
  const stranger = generateSshKeyPair('stranger');
  const envelope = JSON.parse(text) as { body: string };
  const body = JSON.stringify(change(JSON.parse(envelope.body) as Body, stranger.fingerprint));
  return JSON.stringify({ body, signature: signSsh(stranger.privateKey, 'holdfast-manifest', body) });
}

function tombstone(body: Body): Body {
  const { key, vaultId, captureId, signer, startedAt } = body;
  return { format: 1, kind: 'tombstone', key, vaultId, captureId, why: 'swept', at: startedAt, signer };
}
