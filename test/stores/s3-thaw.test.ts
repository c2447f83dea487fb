/** A backup in an archive class of an emulated AWS: counted, thawed, restored. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../src/stores/index.ts';
import { lookAtCold, thawAll } from '../../src/vault/cold.ts';
import { makeBucket, adminClient } from '../support/s3-admin.ts';
import { motoStoreConfig, startMoto, type Moto } from '../support/moto.ts';
import { resolveS3Secret } from '../support/s3-server.ts';
import { artifactOf, backUp, makeTestVault, noise, readAll, streamSegment, type TestVault } from '../support/vault.ts';

let moto: Moto;
let vault: TestVault;
let store: Store;

beforeAll(async () => {
  moto = await startMoto();
  const admin = adminClient(moto.url);
  await makeBucket(admin, 'vaults', 'plain');
  admin.destroy();
  vault = await makeTestVault();
  const config = motoStoreConfig(moto, { bucket: 'vaults', prefix: 'cold', storageClass: 'DEEP_ARCHIVE' });
  store = await openStore(config, resolveS3Secret);
});

afterAll(async () => {
  await store.close();
  await vault[Symbol.asyncDispose]();
  await moto.stop();
});

describe('[T11] a backup in an archive class', () => {
  test('its presence and what is frozen are told at once; it is restored when it was thawed', async () => {
    const signal = new AbortController().signal;
    for await (const { key } of vault.store.list('')) {
      await store.put(key, await vault.store.get(key), { createOnly: true });
    }
    const data = noise(9, 300_000);
    const writer = await vault.writer({ store });
    const artifacts = [artifactOf('data', [streamSegment(data, 'fixed')])];
    const { manifestKey, refs } = await backUp(writer, { captureId: 'run-1', artifacts });
    expect(await writer.verifyPresence(manifestKey, { signal })).toMatchObject({ ok: true, bad: [] });
    await writer.close();

    const reader = await vault.reader({ store });
    const read = async () => readAll((await (await reader.open(manifestKey)).artifacts('ledger'))[0]);
    await expect(read()).rejects.toMatchObject({ code: 'ObjectFrozen' });
    // One chunk and the list of it.
    expect(await lookAtCold(store, refs, { signal })).toMatchObject({ objects: 2, frozen: 2, thawing: 0 });
    await thawAll(store, refs, { days: 2, speed: 'bulk' }, { signal });
    const left = async () => {
      const found = await thawAll(store, refs, { days: 2, speed: 'bulk' }, { signal });
      return (found?.frozen ?? 0) + (found?.thawing ?? 0);
    };
    await expect.poll(left, { timeout: 60_000 }).toBe(0);
    expect((await read()).equals(Buffer.from(data))).toBe(true);
    await reader.close();
  });
});
