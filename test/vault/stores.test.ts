import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openStore, type Store } from '../../src/stores/index.ts';
import { generateKeys, initVault } from '../../src/vault/index.ts';
import { signerOf } from '../../src/vault/envelope.ts';
import { keysIn, listed } from '../../src/vault/listed.ts';
import { sha256Hex } from '../../src/vault/names.ts';
import { sweepNameOf } from '../../src/vault/sweep/sweep-records.ts';
import { condemn, sweep, type SweepContext } from '../../src/vault/sweep/sweep.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { adminClient, makeBucket } from '../support/s3-admin.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server, type S3Server } from '../support/s3-server.ts';
import {
  artifactOf,
  backUp,
  initOptions,
  makeTestVault,
  noise,
  readAll,
  streamSegment,
  SYSTEM,
} from '../support/vault.ts';

const signal = new AbortController().signal;
const DAY_SECONDS = 86_400;

describe('making a vault', () => {
  test('made again: the same vault, and nothing is written twice; a begun one is completed', async () => {
    await using vault = await makeTestVault();
    const options = { ...initOptions(generateKeys(SYSTEM)), store: await vault.emptyStore() };
    const made = await initVault(options);
    expect(made.created).toBe(true);
    const before = await sizes(options.store);
    expect(await initVault(options)).toEqual({ ...made, created: false });
    expect(await sizes(options.store)).toEqual(before);
    await options.store.delete(`keys/${made.epoch}`);
    await options.store.delete('signers/1.json');
    await initVault(options);
    expect((await sizes(options.store)).map(({ key }) => key)).toEqual(before.map(({ key }) => key));
  });

  test('another system, one recipient, another chunk-id key: refused', async () => {
    await using vault = await makeTestVault();
    const options = { ...initOptions(generateKeys(SYSTEM)), store: await vault.emptyStore() };
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
    const prefix = `m2m-${Date.now()}/`;
    const config = { ...s3StoreConfig(server, { prefix }), bucket: 'locked' };
    const store = await openStore(config, resolveS3Secret);
    const keeper = await openStore({ ...config, immutable: { mode: 'governance', forSeconds: 600 } }, resolveS3Secret);
    await using vault = await makeTestVault({ store });
    const { vaultId, keys } = vault;
    const signerKey = keys.signer.privateKey;
    const writer = await vault.writer();
    const made: { manifestKey: string; own: string[] }[] = [];
    for (const captureId of ['run-1', 'run-2', 'run-3']) {
      const before = new Set(await keysIn(store, ''));
      const artifacts = [artifactOf('data', [streamSegment(noise(80 + made.length, 6_000_000), 'fixed')])];
      const { manifestKey } = await backUp(writer, { captureId, artifacts });
      const own = (await keysIn(store, '')).filter((key) => !before.has(key));
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
    expect(await condemn(context, { manifests: removes, minimumAgeSeconds: -DAY_SECONDS })).toMatchObject({
      manifests: 1,
      lockedManifests: 1,
    });
    const swept = await sweep(context, { patienceMs: 1000, pollMs: 10 });
    expect(swept).toMatchObject({ outcome: 'swept', locked: 1 });

    const left: string[] = [];
    for await (const { key } of store.versions?.list('') ?? []) left.push(key);
    expect(left).toContain(lockedChunk);
    expect(left.filter((key) => [second.manifestKey, ...second.own.slice(1)].includes(key))).toEqual([]);
    const reader = await vault.reader({ identity: vault.keys.escrow.identity });
    for (const { manifestKey } of [first, third]) {
      expect(await reader.verifyContent(manifestKey, { signal })).toMatchObject({ ok: true, bad: [] });
    }
    await reader.close();
    await keeper.close();
  });
});

describe('a vault in an S3 bucket', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
  });
  afterAll(() => server.stop());

  test('init, capture, restore; damage at rest is found by presence alone, where the store keeps checksums', async () => {
    const store = await openStore(s3StoreConfig(server, { prefix: 'm2m/' }), resolveS3Secret);
    await using vault = await makeTestVault({ store });
    const data = noise(77, 5_000_000);
    const writer = await vault.writer();
    const artifacts = [artifactOf('data', [streamSegment(data)])];
    const made = await backUp(writer, { captureId: 'run-1', artifacts });
    expect(await writer.verifyPresence(made.manifestKey, { signal })).toMatchObject({ ok: true });

    const reader = await vault.reader({ identity: vault.keys.escrow.identity });
    const [artifact] = await (await reader.open(made.manifestKey)).artifacts('ledger');
    expect((await readAll(artifact)).equals(data)).toBe(true);

    // Another object of the same length under the name: the store's own checksum gives it away.
    const [victim = ''] = await keysIn(store, 'chunks/');
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
  });
});

async function sizes(store: Store): Promise<{ key: string; sizeBytes: number }[]> {
  return (await listed(store, '')).map(({ key, sizeBytes }) => ({ key, sizeBytes }));
}
