import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openStore } from '../../src/stores/index.ts';
import {
  generateKeys,
  initVault,
  openReaderVault,
  openWriterVault,
  parseChunkIdKey,
  type InitVaultOptions,
} from '../../src/vault/index.ts';
import { signerOf } from '../../src/vault/envelope.ts';
import { sha256Hex } from '../../src/vault/names.ts';
import { sweepNameOf } from '../../src/vault/sweep/sweep-records.ts';
import { condemn, sweep, type SweepContext } from '../../src/vault/sweep/sweep.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { adminClient, makeBucket } from '../support/s3-admin.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server, type S3Server } from '../support/s3-server.ts';
import { artifactOf, backUp, makeTestVault, noise, readAll, streamSegment, SYSTEM } from '../support/vault.ts';

const signal = new AbortController().signal;
const DAY_MS = 86_400_000;

function initOptions(keys = generateKeys(SYSTEM)): Omit<InitVaultOptions, 'store'> {
  return {
    system: SYSTEM,
    recipients: [keys.operations.recipient, keys.escrow.recipient],
    chunkIdKey: parseChunkIdKey(keys.chunkIdKey),
    rootKey: keys.root.privateKey,
    signers: [
      {
        name: 'host-a',
        publicKey: keys.signer.publicKey,
        role: 'capture',
        validFrom: new Date(Date.now() - DAY_MS),
        validUntil: new Date(Date.now() + DAY_MS),
      },
    ],
  };
}

describe('making a vault', () => {
  test('made again: the same vault, and nothing is written twice; a begun one is completed', async () => {
    await using vault = await makeTestVault();
    const options = { ...initOptions(), store: await vault.emptyStore() };
    const made = await initVault(options);
    expect(made.created).toBe(true);
    const before = await objects(options.store);
    expect(await initVault(options)).toEqual({ ...made, created: false });
    expect(await objects(options.store)).toEqual(before);
    await options.store.delete(`keys/${made.epoch}`);
    await options.store.delete('signers/1.json');
    await initVault(options);
    expect((await objects(options.store)).map(({ key }) => key)).toEqual(before.map(({ key }) => key));
  });

  test('another system, one recipient, another chunk-id key: refused', async () => {
    await using vault = await makeTestVault();
    const options = { ...initOptions(), store: await vault.emptyStore() };
    const one = initVault({ ...options, recipients: options.recipients.slice(0, 1) });
    await expect(one).rejects.toMatchObject({ code: 'BadInput' });
    await initVault(options);
    await expect(initVault({ ...options, system: 'other' })).rejects.toMatchObject({ code: 'NotAVault' });
    const otherKey = initVault({ ...options, chunkIdKey: new Uint8Array(32) });
    await expect(otherKey).rejects.toMatchObject({ code: 'BadInput' });
  });
});

describe('a prune of a bucket that keeps versions and holds locks', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server(undefined, { versions: true });
    const admin = adminClient(server.url);
    await makeBucket(admin, 'locked', 'locked');
    admin.destroy();
  });
  afterAll(() => server.stop());

  test('[G4] a manifest and a chunk are locked: both stay and are counted, everything else goes with all its versions', async () => {
    await using scratch = await makeTestVault();
    const prefix = `m2m-${Date.now()}/`;
    const config = { ...s3StoreConfig(server, { prefix }), bucket: 'locked' };
    const store = await openStore(config, resolveS3Secret);
    const keeper = await openStore({ ...config, immutable: { mode: 'governance', forSeconds: 600 } }, resolveS3Secret);
    const keys = generateKeys(SYSTEM);
    const options = initOptions(keys);
    const { vaultId } = await initVault({ ...options, store });
    const signerKey = keys.signer.privateKey;
    const writer = await openWriterVault({
      store,
      system: SYSTEM,
      keys: { ...options, signerKey, rootFingerprint: keys.root.fingerprint },
      stateDirectory: scratch.statePath,
    });
    const made: { manifestKey: string; own: string[] }[] = [];
    for (const captureId of ['run-1', 'run-2', 'run-3']) {
      const before = new Set((await objects(store)).map(({ key }) => key));
      const artifacts = [artifactOf('data', [streamSegment(noise(80 + made.length, 6_000_000), 'fixed')])];
      const { manifestKey } = await backUp(writer, { captureId, artifacts });
      const own = (await objects(store)).map(({ key }) => key).filter((key) => !before.has(key));
      made.push({ manifestKey, own: own.filter((key) => key.startsWith('chunks/')) });
    }
    await writer.close();
    const [first, second, third] = made;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were made');
    const [lockedChunk = '', otherChunk = ''] = second.own;
    await store.put(otherChunk, await store.get(otherChunk), { createOnly: false });
    const untilMs = Date.now() + 3600_000;
    for (const key of [first.manifestKey, lockedChunk]) await keeper.locks?.extend(key, untilMs);

    const roots = await readTrustRoots(store, vaultId, keys.root.fingerprint);
    const context: SweepContext = {
      from: { store, vaultId, roots },
      author: { vaultId, signer: signerOf(signerKey), host: 'host-a' },
      name: sweepNameOf(Date.now(), 'locked'),
      signal,
      report: () => undefined,
      lingerMs: 0,
    };
    const removes = await Promise.all(
      [first, second].map(async ({ manifestKey: key }) => {
        const sha256 = sha256Hex(await store.get(key));
        return { key, sha256, signer: signerOf(signerKey).fingerprint, sequence: 1, why: 'no rule keeps it' };
      }),
    );
    expect(await condemn(context, { manifests: removes, minimumAgeSeconds: -DAY_MS / 1000 })).toMatchObject({
      manifests: 1,
      lockedManifests: 1,
    });
    const swept = await sweep(context, { patienceMs: 1000, pollMs: 10 });
    expect(swept).toMatchObject({ outcome: 'swept', locked: 1 });

    const left: string[] = [];
    for await (const { key } of store.versions?.list('') ?? []) left.push(key);
    expect(left).toContain(lockedChunk);
    expect(left.filter((key) => [second.manifestKey, ...second.own.slice(1)].includes(key))).toEqual([]);
    const reader = await openReaderVault({
      store,
      keys: { identities: [keys.escrow.identity], rootFingerprint: keys.root.fingerprint },
    });
    for (const { manifestKey } of [first, third]) {
      expect(await reader.verifyContent(manifestKey, { signal })).toMatchObject({ ok: true, bad: [] });
    }
    await reader.close();
    await keeper.close();
    await store.close();
  });
});

describe('a vault in an S3 bucket', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
  });
  afterAll(() => server.stop());

  test('init, capture, restore; damage at rest is found by presence alone, where the store keeps checksums', async () => {
    await using scratch = await makeTestVault();
    const store = await openStore(s3StoreConfig(server, { prefix: 'm2m/' }), resolveS3Secret);
    const keys = generateKeys(SYSTEM);
    const options = initOptions(keys);
    await initVault({ ...options, store });
    const data = noise(77, 5_000_000);
    const writer = await openWriterVault({
      store,
      system: SYSTEM,
      keys: { ...options, signerKey: keys.signer.privateKey, rootFingerprint: keys.root.fingerprint },
      stateDirectory: scratch.statePath,
    });
    const artifacts = [artifactOf('data', [streamSegment(data)])];
    const made = await backUp(writer, { captureId: 'run-1', artifacts });
    expect(await writer.verifyPresence(made.manifestKey, { signal })).toMatchObject({ ok: true });

    const reader = await openReaderVault({
      store,
      keys: { identities: [keys.escrow.identity], rootFingerprint: keys.root.fingerprint },
    });
    const [artifact] = await (await reader.open(made.manifestKey)).artifacts('ledger');
    expect((await readAll(artifact)).equals(data)).toBe(true);

    // Another object of the same length under the name: the store's own checksum gives it away.
    const [victim = ''] = (await objects(store)).filter(({ key }) => key.startsWith('chunks/')).map(({ key }) => key);
    const bytes = await store.get(victim);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await store.put(victim, bytes, { createOnly: false });
    expect(await writer.verifyPresence(made.manifestKey, { signal })).toMatchObject({
      ok: false,
      bad: [{ key: victim, code: 'ObjectCorrupt' }],
    });
    expect(await reader.verifyContent(made.manifestKey, { signal })).toMatchObject({
      ok: false,
      bad: [{ key: victim, code: 'ObjectCorrupt' }],
    });
    await reader.close();
    await writer.close();
    await store.close();
  });
});

async function objects(store: { list(prefix: string): AsyncIterable<{ key: string; sizeBytes: number }> }) {
  const found: { key: string; sizeBytes: number }[] = [];
  for await (const { key, sizeBytes } of store.list('')) found.push({ key, sizeBytes });
  return found;
}
