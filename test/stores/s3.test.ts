import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { STORE_RETRIES } from '../../src/stores/retry.ts';
import { openS3Store } from '../../src/stores/s3.ts';
import { resolveS3Secret, s3StoreConfig, startS3Server } from '../support/s3-server.ts';
import type { S3Server } from '../support/s3-server.ts';
import { conformance, infos, keys, sha256 } from './conformance.ts';

let server: S3Server;

function open(prefix: string): Promise<Store> {
  return openStore(s3StoreConfig(server, { prefix }), resolveS3Secret);
}

beforeAll(async () => {
  server = await startS3Server();
});

afterAll(async () => {
  await server.stop();
});

conformance('s3', () => open('conformance'));

describe('an S3 store', () => {
  it('its prefix: keeps two vaults in one bucket apart', async () => {
    const [one, two] = [await open('/one/'), await open('two')];
    await one.put('same', Buffer.from('1'), { createOnly: true });
    expect(await two.put('same', Buffer.from('2'), { createOnly: true })).toBe('written');
    expect(await keys(one, '')).toEqual(['same']);
    expect(one.label).toBe('s3 vaults/one');
    await Promise.all([one.close(), two.close()]);
  });

  it('more objects than a page holds: all of them are listed, once and in order', async () => {
    const store = await open('pages');
    const names = Array.from({ length: 1_050 }, (_, index) => `chunks/${String(index).padStart(5, '0')}`);
    for (let at = 0; at < names.length; at += 50) {
      await Promise.all(names.slice(at, at + 50).map((key) => store.put(key, Buffer.from(key), { createOnly: true })));
    }
    expect(await keys(store, 'chunks/')).toEqual(names);
    expect((await infos(store, 'chunks/', 'chunks/00999')).length).toBe(50);
    await store.close();
  });

  it('the stored checksum: is the SHA-256 of the bytes as they were sent', async () => {
    const store = await open('sums');
    const bytes = Buffer.from('what was written');
    await store.put('a', bytes, { createOnly: true });
    expect(await store.storedSha256?.('a')).toBe(sha256(bytes));
    await expect(store.storedSha256?.('b')).rejects.toMatchObject({ code: 'ObjectMissing' });
    await store.close();
  });

  it('bytes that do not have the checksum they are sent with: the server refuses them', async () => {
    const config = s3StoreConfig(server, { prefix: 'refused' });
    const store = await openS3Store(config, resolveS3Secret, { ...STORE_RETRIES, attempts: 2, firstPauseMs: 1 });
    const written = store.put('a', Buffer.from('right'), { createOnly: true, sha256: sha256(Buffer.from('wrong')) });
    await expect(written).rejects.toMatchObject({ name: 'HoldfastError' });
    expect(await store.head('a')).toBeUndefined();
    await store.close();
  });

  it('wrong credentials: StoreDenied, without the secret in the message', async () => {
    const secret = randomUUID();
    const config = s3StoreConfig(server, { prefix: 'denied' });
    const store = await openStore(config, () => Promise.resolve(secret));
    const cause: unknown = await store.get('a').catch((error: unknown) => error);
    expect(cause).toMatchObject({ code: 'StoreDenied' });
    expect(String(cause)).not.toContain(secret);
    await store.close();
  });

  it('a bucket that does not exist: StoreDenied, and the hint says what to do', async () => {
    const config = { ...s3StoreConfig(server, { prefix: '' }), bucket: 'no-such-bucket' };
    const store = await openStore(config, resolveS3Secret);
    const calls = [
      () => store.put('a', Buffer.from('x'), { createOnly: true }),
      () => store.get('a'),
      () => store.head('a'),
      () => keys(store, ''),
    ];
    for (const call of calls) {
      const cause: unknown = await call().catch((error: unknown) => error);
      expect(cause).toMatchObject({ code: 'StoreDenied' });
      expect((cause as HoldfastError).hint).toContain('bucket');
    }
    await store.close();
  });

  it('only one half of the credentials: is refused before anything is sent', async () => {
    const config = s3StoreConfig(server, { prefix: '' });
    const half = { ...config, secretAccessKey: undefined } as unknown as typeof config;
    await expect(openStore(half, resolveS3Secret)).rejects.toMatchObject({ code: 'BadInput' });
  });

  it('a CA file that is not there: is refused by name', async () => {
    const opened = openStore(
      { ...s3StoreConfig(server, { prefix: '' }), caFile: '/nonexistent/ca.pem' },
      resolveS3Secret,
    );
    await expect(opened).rejects.toMatchObject({ code: 'BadInput' });
    await expect(opened).rejects.toThrow('/nonexistent/ca.pem');
  });

  it('an authority of its own: is trusted when the system file names it, and only then', async () => {
    const files = (name: string) => join(import.meta.dirname, 'tls', name);
    const secure = await startS3Server({ cert: files('cert.pem'), key: files('key.pem') });
    try {
      const config = s3StoreConfig(secure, { prefix: 'tls' });
      const trusting = await openStore({ ...config, caFile: files('cert.pem') }, resolveS3Secret);
      expect(await trusting.put('a', Buffer.from('x'), { createOnly: true })).toBe('written');
      const doubting = await openStore(config, resolveS3Secret);
      const cause: unknown = await doubting.get('a').catch((error: unknown) => error);
      expect(cause).toMatchObject({ code: 'StoreDenied' });
      expect((cause as HoldfastError).hint).toContain('caFile');
      await Promise.all([trusting.close(), doubting.close()]);
    } finally {
      await secure.stop();
    }
  });

  it('an object damaged on the server: comes as it is, for the seal to refuse; the stored checksum is the old one', async () => {
    const store = await open('damaged');
    await store.put('a', Buffer.from('good bytes'), { createOnly: true });
    const path = join(server.bucketPath, 'damaged', 'a');
    await writeFile(path, (await readFile(path, 'utf8')).replace('good', 'evil'));
    expect(Buffer.from(await store.get('a')).toString()).toBe('evil bytes');
    expect(await store.storedSha256?.('a')).toBe(sha256(Buffer.from('good bytes')));
    await store.close();
  });
});
