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
