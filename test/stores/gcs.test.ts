import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import type { ObjectVersion } from '../../src/stores/store.ts';
import { gcsStoreConfig, startGcsServer } from '../support/gcs-server.ts';
import type { GcsServer } from '../support/gcs-server.ts';
import { conformance, infos, keys, text } from './conformance.ts';

const FRESH = { createOnly: true } as const;
const noSecrets = () => Promise.reject(new Error('no secret is needed here'));
let server: GcsServer;

function open(prefix: string): Promise<Store> {
  return openStore(gcsStoreConfig(server, { prefix }), noSecrets);
}

async function versionsOf(store: Store): Promise<ObjectVersion[]> {
  const found: ObjectVersion[] = [];
  for await (const version of store.versions?.list('') ?? []) found.push(version);
  return found;
}

beforeAll(async () => {
  server = await startGcsServer({ versioning: true });
});

afterAll(async () => {
  await server.stop();
});

conformance('gcs', () => open('conformance'));

describe('a Google store', () => {
  it('its prefix: keeps two vaults in one bucket apart', async () => {
    const [one, two] = [await open('/one/'), await open('two')];
    await one.put('same', Buffer.from('1'), FRESH);
    expect(await two.put('same', Buffer.from('2'), FRESH)).toBe('written');
    expect(await keys(one, '')).toEqual(['same']);
    expect(one.label).toBe('gcs vaults/one');
    await Promise.all([one.close(), two.close()]);
  });

  it('more objects than a page holds: all of them are listed, once and in order', async () => {
    const names = Array.from({ length: 1_050 }, (_, index) => String(index).padStart(5, '0'));
    const seeded = await startGcsServer({ seed: { directory: 'pages/chunks', names } });
    try {
      const store = await openStore(gcsStoreConfig(seeded, { prefix: 'pages' }), noSecrets);
      expect(await keys(store, 'chunks/')).toEqual(names.map((name) => `chunks/${name}`));
      expect((await infos(store, 'chunks/', 'chunks/00999')).length).toBe(50);
      await store.close();
    } finally {
      await seeded.stop();
    }
  });

  it('replaced and deleted objects: stay as versions, newest first, that can be read and deleted for good', async () => {
    const store = await open('versions');
    for (const content of ['first', 'second']) await store.put('a', Buffer.from(content), { createOnly: false });
    await store.put('b', Buffer.from('deleted'), FRESH);
    await store.delete('b');
    const found = await versionsOf(store);
    expect(found.map(({ key, latest, sizeBytes }) => [key, latest, sizeBytes])).toEqual([
      ['a', true, 6],
      ['a', false, 5],
      ['b', false, 7],
    ]);
    const [, old] = found;
    const first = await store.versions?.get('a', old?.versionId ?? '');
    expect(text(first ?? Buffer.from(''))).toBe('first');
    for (const { key, versionId, latest } of found) if (!latest) await store.versions?.delete(key, versionId);
    expect((await versionsOf(store)).map(({ key }) => key)).toEqual(['a']);
    await store.versions?.delete('b', found[2]?.versionId ?? '');
    expect(text(await store.get('a'))).toBe('second');
    await store.close();
  });

  it('a bucket that does not exist: StoreDenied, and the hint says what to do', async () => {
    const store = await openStore({ ...gcsStoreConfig(server, { prefix: '' }), bucket: 'no-such-bucket' }, noSecrets);
    const calls = [
      () => store.put('a', Buffer.from('x'), FRESH),
      () => store.get('a'),
      () => store.head('a'),
      () => store.delete('a'),
      () => keys(store, ''),
    ];
    for (const call of calls) {
      const cause = (await call().catch((error: unknown) => error)) as HoldfastError;
      expect(cause).toMatchObject({ code: 'StoreDenied' });
      expect(cause.hint).toContain('bucket');
    }
    await store.close();
  });

  it('credentials that are no JSON of an account: are refused without being repeated', async () => {
    const config = { ...gcsStoreConfig(server, { prefix: '' }), credentials: { env: 'KEY' } };
    const opened = openStore(config, () => Promise.resolve('not-a-key-at-all'));
    const cause = (await opened.catch((error: unknown) => error)) as HoldfastError;
    expect(cause).toMatchObject({ code: 'BadInput' });
    expect(String(cause)).not.toContain('not-a-key');
  });
});
