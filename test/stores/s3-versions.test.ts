import { PutObjectLegalHoldCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, probeStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import type { ObjectVersion } from '../../src/stores/store.ts';
import { adminClient, makeBucket } from '../support/s3-admin.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server } from '../support/s3-server.ts';
import type { S3Server } from '../support/s3-server.ts';
import { conformance, text } from './conformance.ts';

const FRESH = { createOnly: true } as const;
const REPLACE = { createOnly: false } as const;
const HOUR_MS = 3_600_000;
let server: S3Server;
let admin: S3Client;

function open(bucket: string, prefix: string, mode?: 'governance' | 'compliance'): Promise<Store> {
  const config = { ...s3StoreConfig(server, { prefix }), bucket };
  return openStore(mode === undefined ? config : { ...config, immutable: { mode, forSeconds: 600 } }, resolveS3Secret);
}

beforeAll(async () => {
  server = await startS3Server(undefined, { versions: true });
  admin = adminClient(server.url);
  await makeBucket(admin, 'locked', 'locked');
  await makeBucket(admin, 'versioned', 'versioned');
});

afterAll(async () => {
  admin.destroy();
  await server.stop();
});

// versitygw answers 412 to a create-only write over a delete mark, where AWS writes: so the suite runs without versions.
conformance('s3 on a server that keeps versions, in a bucket without', () => open(server.bucket, 'suite'));

describe('versions in a bucket', () => {
  it('a bucket that keeps them: lists what was replaced and what was marked deleted, by key and from new to old', async () => {
    const store = await open('versioned', 'list');
    await store.put('b', Buffer.from('one'), FRESH);
    await store.put('b', Buffer.from('two'), REPLACE);
    await store.put('a', Buffer.from('gone'), FRESH);
    await store.delete('a');
    const found = await versionsOf(store);
    expect(found.map(({ key, latest, deleteMarker, sizeBytes }) => [key, latest, deleteMarker, sizeBytes])).toEqual([
      ['a', true, true, 0],
      ['a', false, false, 4],
      ['b', true, false, 3],
      ['b', false, false, 3],
    ]);
    expect((await versionsOf(store, 'a')).map(({ key }) => key)).toEqual(['b', 'b']);
    const [, old, , first] = found;
    expect(text(await read(store, old))).toBe('gone');
    expect(text(await read(store, first))).toBe('one');
    await expect(store.versions?.get('b', old?.versionId ?? '')).rejects.toMatchObject({ code: 'ObjectMissing' });
    await store.versions?.delete('a', old?.versionId ?? '');
    for (const version of found) await store.versions?.delete(version.key, version.versionId);
    expect(await versionsOf(store)).toEqual([]);
    expect(await store.put('a', Buffer.from('again'), FRESH)).toBe('written');
    await store.close();
  });

  it('more versions than a page holds: all of them are listed once', async () => {
    const store = await open('versioned', 'pages');
    const keys = Array.from({ length: 350 }, (_, index) => `chunks/${String(index).padStart(4, '0')}`);
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(keys.map((key) => store.put(key, Buffer.from(`${round}`), REPLACE)));
    }
    const found = await versionsOf(store);
    expect(found.map(({ key }) => key)).toEqual(keys.flatMap((key) => [key, key, key]));
    expect(new Set(found.map(({ versionId }) => versionId)).size).toBe(keys.length * 3);
    await store.close();
  });

  it('a chunk that was marked deleted: can be stored again, also where the server still takes its name for taken', async () => {
    const store = await open('versioned', 'again');
    await store.put('chunks/aa/a', Buffer.from('x'), FRESH);
    await store.delete('chunks/aa/a');
    expect(await store.put('chunks/aa/a', Buffer.from('y'), FRESH)).toBe('written');
    expect(await store.put('chunks/aa/a', Buffer.from('z'), FRESH)).toBe('exists');
    expect(text(await store.get('chunks/aa/a'))).toBe('y');
    await store.close();
  });

  it('a bucket without versions: lists what is there, and deletes it for good', async () => {
    const store = await open(server.bucket, 'plain');
    await store.put('a', Buffer.from('x'), FRESH);
    expect(await versionsOf(store)).toMatchObject([{ key: 'a', latest: true, deleteMarker: false }]);
    for (const version of await versionsOf(store)) await store.versions?.delete(version.key, version.versionId);
    expect(await store.head('a')).toBeUndefined();
    await store.close();
  });
});

describe('locks [W6]', () => {
  it.each(['governance', 'compliance'] as const)(
    '%s: what is put is locked, the lock can be made longer and never shorter',
    async (mode) => {
      const store = await open('locked', mode, mode);
      await store.put('chunks/a', Buffer.from('x'), FRESH);
      const before = await store.locks?.get('chunks/a');
      expect(before?.mode).toBe(mode);
      expect(Math.abs((before?.untilMs ?? 0) - Date.now() - 600_000)).toBeLessThan(120_000);
      const untilMs = Date.now() + HOUR_MS;
      await store.locks?.extend('chunks/a', untilMs);
      await store.locks?.extend('chunks/a', untilMs - HOUR_MS / 2);
      expect((await store.locks?.get('chunks/a'))?.untilMs).toBe(Math.floor(untilMs / 1000) * 1000);
      await expect(store.locks?.extend('chunks/none', untilMs)).rejects.toMatchObject({ code: 'ObjectMissing' });
      await expect(store.locks?.get('chunks/none')).rejects.toMatchObject({ code: 'ObjectMissing' });
      const [version] = await versionsOf(store);
      const deleted = store.versions?.delete('chunks/a', version?.versionId ?? '');
      await expect(deleted).rejects.toMatchObject({ code: 'StoreLocked' });
      expect(text(await store.get('chunks/a'))).toBe('x');
      await store.close();
    },
  );

  it('a delete and a replacement: hide the locked version, which stays and can be read', async () => {
    const store = await open('locked', 'hidden', 'compliance');
    await store.put('chunks/a', Buffer.from('first'), FRESH);
    await store.put('chunks/a', Buffer.from('second'), REPLACE);
    await store.delete('chunks/a');
    await expect(store.get('chunks/a')).rejects.toMatchObject({ code: 'ObjectMissing' });
    const [mark, second, first] = await versionsOf(store);
    expect(mark?.deleteMarker).toBe(true);
    for (const version of [second, first]) {
      const deleted = store.versions?.delete('chunks/a', version?.versionId ?? '');
      await expect(deleted).rejects.toMatchObject({ code: 'StoreLocked' });
    }
    expect(text(await read(store, first))).toBe('first');
    await store.versions?.delete('chunks/a', mark?.versionId ?? '');
    expect(text(await store.get('chunks/a'))).toBe('second');
    await store.close();
  });

  it('a probe: tries whether a lock holds and whether versions are kept, and what it may remove is removed', async () => {
    const locked = await open('locked', 'probe', 'governance');
    expect(await probeStore(locked)).toMatchObject({ locks: 'held', versions: 'kept', mayDelete: true });
    expect((await versionsOf(locked)).filter(({ deleteMarker }) => !deleteMarker)).toHaveLength(1);
    const versioned = await open('versioned', 'probe');
    expect(await probeStore(versioned)).toMatchObject({ locks: 'none', versions: 'kept', cold: false });
    expect(await versionsOf(versioned)).toEqual([]);
    const plain = await open(server.bucket, 'probe');
    expect(await probeStore(plain)).toMatchObject({ locks: 'none', versions: 'none' });
    await Promise.all([locked, versioned, plain].map((store) => store.close()));
  });

  it('a legal hold of somebody else: is a lock as well', async () => {
    const store = await open('locked', 'hold');
    await store.put('a', Buffer.from('x'), FRESH);
    const hold = { Bucket: 'locked', Key: 'hold/a', LegalHold: { Status: 'ON' } } as const;
    await admin.send(new PutObjectLegalHoldCommand(hold));
    const [version] = await versionsOf(store);
    const deleted = store.versions?.delete('a', version?.versionId ?? '');
    await expect(deleted).rejects.toMatchObject({ code: 'StoreLocked' });
    await store.close();
  });

  it('a bucket made without locks: the write is refused, and the hint says what is missing', async () => {
    const store = await open(server.bucket, 'none', 'compliance');
    const written = store.put('chunks/a', Buffer.from('x'), FRESH);
    await expect(written).rejects.toMatchObject({ code: 'StoreDenied' });
    await expect(written).rejects.toMatchObject({ hint: expect.stringContaining('store setup') as unknown });
    await store.close();
  });

  it('a store that is not asked to lock: has no locks to speak of', async () => {
    const store = await open('locked', 'unasked');
    expect(store.locks).toBeUndefined();
    await store.close();
  });
});

async function versionsOf(store: Store, startAfter?: string): Promise<ObjectVersion[]> {
  const found: ObjectVersion[] = [];
  for await (const version of store.versions?.list('', startAfter === undefined ? {} : { startAfter }) ?? []) {
    found.push(version);
  }
  return found;
}

async function read(store: Store, version: ObjectVersion | undefined): Promise<Uint8Array> {
  if (version === undefined || store.versions === undefined) throw new Error('there is no such version');
  return store.versions.get(version.key, version.versionId);
}
