import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/stores/index.ts';
import { coldState, restoreRequest } from '../../src/stores/s3-cold.ts';
import { adminClient, makeBucket } from '../support/s3-admin.ts';
import { motoStoreConfig, startMoto } from '../support/moto.ts';
import type { Moto } from '../support/moto.ts';
import { resolveS3Secret } from '../support/s3-server.ts';
import { infos, text } from './conformance.ts';

const FRESH = { createOnly: true } as const;
let moto: Moto;

beforeAll(async () => {
  moto = await startMoto();
  const admin = adminClient(moto.url);
  await makeBucket(admin, 'archive', 'plain');
  admin.destroy();
});

afterAll(() => moto.stop());

describe('an archive class [T11]', () => {
  it('a store with one: only what backups are made of lies in it, records stay where they are read at once', async () => {
    const store = await openStore(
      motoStoreConfig(moto, { bucket: 'archive', prefix: 'classes', storageClass: 'DEEP_ARCHIVE' }),
      resolveS3Secret,
    );
    const keys = ['backups/daily/x.json', 'captures/x.json', 'chunks/aa/a', 'lists/aa/a', 'sums/aa/a', 'wal/x'];
    for (const key of keys) await store.put(key, Buffer.from(key), FRESH);
    const classes = (await infos(store, '')).map(({ key, storageClass }) => [key, storageClass]);
    const expected = keys.map((key) => [key, /^(chunks|lists)/.test(key) ? 'DEEP_ARCHIVE' : 'STANDARD']);
    expect(classes).toEqual(expected);
    expect(await store.head('chunks/aa/a')).toMatchObject({ storageClass: 'DEEP_ARCHIVE' });
    expect(await store.head('captures/x.json')).toMatchObject({ storageClass: 'STANDARD' });
    await store.close();
  });

  it('a frozen object: is not read until it was thawed; to thaw twice is harmless', async () => {
    const store = await openStore(
      motoStoreConfig(moto, { bucket: 'archive', prefix: 'thaw', storageClass: 'GLACIER' }),
      resolveS3Secret,
    );
    await store.put('chunks/aa/a', Buffer.from('cold'), FRESH);
    await store.put('captures/a', Buffer.from('warm'), FRESH);
    const cause: unknown = await store.get('chunks/aa/a').catch((error: unknown) => error);
    expect(cause).toMatchObject({ code: 'ObjectFrozen', details: { storageClass: 'GLACIER' } });
    expect(await store.cold?.state('chunks/aa/a')).toBe('frozen');
    expect(await store.cold?.state('captures/a')).toBe('ready');
    for (const key of ['chunks/aa/a', 'chunks/aa/a', 'captures/a']) {
      await store.cold?.thaw(key, { days: 3, speed: 'bulk' });
    }
    await expect.poll(() => store.cold?.state('chunks/aa/a'), { timeout: 60_000 }).toBe('ready');
    expect(text(await store.get('chunks/aa/a'))).toBe('cold');
    await expect(store.cold?.state('chunks/none')).rejects.toMatchObject({ code: 'ObjectMissing' });
    await expect(store.cold?.thaw('chunks/none', { days: 1, speed: 'bulk' })).rejects.toMatchObject({
      code: 'ObjectMissing',
    });
    await store.close();
    const admin = adminClient(moto.url);
    const { Restore } = await admin.send(new HeadObjectCommand({ Bucket: 'archive', Key: 'thaw/chunks/aa/a' }));
    admin.destroy();
    expect(Restore).toContain('expiry-date');
  });

  // The header's forms as the reference of HeadObject shows them; no emulator takes hours to thaw.
  it.each([
    [{}, 'ready'],
    [{ StorageClass: 'STANDARD_IA' }, 'ready'],
    [{ StorageClass: 'GLACIER_IR' }, 'ready'],
    [{ StorageClass: 'GLACIER' }, 'frozen'],
    [{ StorageClass: 'DEEP_ARCHIVE', Restore: 'ongoing-request="true"' }, 'thawing'],
    [
      { StorageClass: 'GLACIER', Restore: 'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"' },
      'ready',
    ],
    [{ StorageClass: 'INTELLIGENT_TIERING' }, 'ready'],
    [{ StorageClass: 'INTELLIGENT_TIERING', ArchiveStatus: 'ARCHIVE_ACCESS' }, 'frozen'],
    [
      { StorageClass: 'INTELLIGENT_TIERING', ArchiveStatus: 'ARCHIVE_ACCESS', Restore: 'ongoing-request="true"' },
      'thawing',
    ],
  ] as const)('HEAD says %j: %s', (head, state) => {
    expect(coldState(head)).toBe(state);
  });

  it('a request to thaw: Deep Archive knows no hurry, Intelligent-Tiering no days', () => {
    expect(restoreRequest('GLACIER', { days: 2, speed: 'expedited' })).toEqual({
      Days: 2,
      GlacierJobParameters: { Tier: 'Expedited' },
    });
    expect(restoreRequest('DEEP_ARCHIVE', { days: 2, speed: 'expedited' })).toEqual({
      Days: 2,
      GlacierJobParameters: { Tier: 'Standard' },
    });
    expect(restoreRequest('INTELLIGENT_TIERING', { days: 2, speed: 'bulk' })).toEqual({
      GlacierJobParameters: { Tier: 'Bulk' },
    });
  });
});
