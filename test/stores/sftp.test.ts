import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../src/failures.ts';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { sftpSecrets, sftpStoreConfig, startSftpServer } from '../support/sftp-server.ts';
import type { SftpServer } from '../support/sftp-server.ts';
import { conformance, keys } from './conformance.ts';

const run = promisify(execFile);
const FRESH = { createOnly: true } as const;
let server: SftpServer;

function open(directory: string): Promise<Store> {
  return openStore(sftpStoreConfig(server, { directory }), sftpSecrets(server));
}

async function failure(action: Promise<unknown>): Promise<HoldfastError> {
  return (await action.catch((error: unknown) => error)) as HoldfastError;
}

beforeAll(async () => {
  server = await startSftpServer();
});

afterAll(async () => {
  await server.stop();
});

conformance('sftp', () => open('conformance'));

describe('an SFTP store', () => {
  it('opened and closed without use: nothing is made on the server', async () => {
    const store = await open('unused');
    await store.close();
    expect(await readdir(server.data)).not.toContain('unused');
  });

  it('what was written: lies there as a plain file, for its owner alone, and nothing else is left', async () => {
    const store = await open('plain');
    await store.put('chunks/ab/one', Buffer.from('content'), FRESH);
    await store.put('chunks/ab/one', Buffer.from('replaced'), { createOnly: false });
    expect(await readFile(join(server.data, 'plain/chunks/ab/one'), 'utf8')).toBe('replaced');
    await expect.poll(() => readdir(join(server.data, 'plain/.tmp')), { timeout: 30_000 }).toEqual([]);
    expect(store.label).toMatch(/^sftp \S+@127\.0\.0\.1:\/.*\/plain$/);
    await store.close();
  });

  it.each(['ed25519', 'ecdsa', 'rsa'] as const)(
    'a fingerprint of the %s key: is accepted, whichever key the server would show first',
    async (type) => {
      const config = { ...sftpStoreConfig(server, { directory: 'types' }), hostKey: server.fingerprints[type] };
      const store = await openStore(config, sftpSecrets(server));
      expect(await store.head('nothing')).toBeUndefined();
      await store.close();
    },
  );

  it('another server under the name: StoreDenied with the keys it shows, at once, and nothing is sent to it', async () => {
    const config = { ...sftpStoreConfig(server, { directory: 'spoofed' }), hostKey: `SHA256:${'A'.repeat(43)}` };
    const store = await openStore(config, sftpSecrets(server));
    const cause = await failure(store.put('a', Buffer.from('x'), FRESH));
    expect(cause).toMatchObject({ code: 'StoreDenied', waitingHelps: false });
    for (const fingerprint of Object.values(server.fingerprints)) expect(cause.message).toContain(fingerprint);
    expect(cause.message).toContain('Nothing was sent');
    await store.close();
  });

  it('a key that the server does not know: StoreDenied, and the message does not repeat it', async () => {
    const stranger = await startSftpServer();
    try {
      const store = await openStore(sftpStoreConfig(server, { directory: 'denied' }), sftpSecrets(stranger));
      const cause = await failure(store.get('a'));
      expect(cause).toMatchObject({ code: 'StoreDenied' });
      expect(cause.message).not.toContain('PRIVATE KEY');
      await store.close();
    } finally {
      await stranger.stop();
    }
  });

  it('a secret that is no private key: is refused before anything is sent, without repeating it', async () => {
    const secret = randomUUID();
    const opened = openStore(sftpStoreConfig(server, { directory: 'x' }), () => Promise.resolve(secret));
    const cause = await failure(opened);
    expect(cause).toMatchObject({ code: 'BadInput' });
    expect(String(cause)).not.toContain(secret);
  });

  it('a server that allows one session on a connection: one is used', async () => {
    const narrow = await startSftpServer(['MaxSessions 1']);
    try {
      const store = await openStore(sftpStoreConfig(narrow, { directory: 'narrow' }), sftpSecrets(narrow));
      const names = Array.from({ length: 12 }, (_, index) => `some/${String(index).padStart(2, '0')}`);
      await Promise.all(names.map((key) => store.put(key, Buffer.from(key), FRESH)));
      expect(await keys(store, '')).toEqual(names);
      await store.close();
    } finally {
      await narrow.stop();
    }
  });

  it('a path whose parent is not there: StoreDenied, and nothing is made in its place', async () => {
    const store = await open('no/such/place');
    expect(await failure(store.put('a', Buffer.from('x'), FRESH))).toMatchObject({ code: 'StoreDenied' });
    expect(await keys(store, '')).toEqual([]);
    expect(await failure(store.get('a'))).toMatchObject({ code: 'ObjectMissing', details: { storeIsThere: false } });
    expect(await readdir(server.data)).not.toContain('no');
    await store.close();
  });

  it('a root that vanishes, as when the disk of the server is not mounted: is not made again', async () => {
    const store = await open('disk');
    await store.put('a', Buffer.from('x'), FRESH);
    await rename(join(server.data, 'disk'), join(server.data, 'unmounted'));
    for (const call of [() => store.get('a'), () => store.head('a'), () => keys(store, ''), () => store.delete('a')]) {
      expect(await failure(call())).toMatchObject({ code: 'StoreNotMounted' });
    }
    expect(await failure(store.put('b', Buffer.from('x'), FRESH))).toMatchObject({ code: 'StoreNotMounted' });
    expect(await readdir(server.data)).not.toContain('disk');
    await rename(join(server.data, 'unmounted'), join(server.data, 'disk'));
    expect(await store.put('b', Buffer.from('x'), FRESH)).toBe('written');
    await store.close();
  });

  it('a directory that somebody removed: is made again by the next write', async () => {
    const store = await open('tidied');
    await store.put('chunks/aa/1', Buffer.from('x'), FRESH);
    await rm(join(server.data, 'tidied/chunks'), { recursive: true });
    expect(await store.put('chunks/aa/2', Buffer.from('x'), FRESH)).toBe('written');
    await store.close();
  });

  it('what killed writers left half-written: is removed a day later; what is young, a link or none of ours stays', async () => {
    const area = join(server.data, 'leftovers/.tmp');
    await mkdir(area, { recursive: true });
    for (const name of ['1-old', '2-young', 'foreign']) await writeFile(join(area, name), 'half');
    const old = new Date(Date.now() - 2 * 86_400_000);
    for (const name of ['1-old', 'foreign']) await utimes(join(area, name), old, old);
    const store = await open('leftovers');
    await store.put('a', Buffer.from('x'), FRESH);
    await expect.poll(async () => (await readdir(area)).sort(), { timeout: 30_000 }).toEqual(['2-young', 'foreign']);
    expect(await keys(store, '')).toEqual(['a']);
    await store.close();
  });

  it('links, and files that an NFS client keeps for others: are no objects', async () => {
    const store = await open('odd');
    await store.put('chunks/real', Buffer.from('x'), FRESH);
    await writeFile(join(server.data, 'odd/chunks/.nfs0000000000a1b2c300000001'), 'removed, but open');
    await symlink('/etc/hostname', join(server.data, 'odd/chunks/link'));
    expect(await keys(store, '')).toEqual(['chunks/real']);
    expect(await store.head('chunks/link')).toBeUndefined();
    expect(await failure(store.get('chunks/link'))).toMatchObject({ code: 'ObjectCorrupt' });
    await store.close();
  });

  it('a server that lets nobody write: StoreDenied for a write, reading works', async () => {
    const readOnly = await startSftpServer(['ForceCommand internal-sftp -R']);
    try {
      await mkdir(join(readOnly.data, 'vault'));
      await writeFile(join(readOnly.data, 'vault/a'), 'content');
      const store = await openStore(sftpStoreConfig(readOnly, { directory: 'vault' }), sftpSecrets(readOnly));
      expect(await failure(store.put('b', Buffer.from('x'), FRESH))).toMatchObject({ code: 'StoreDenied' });
      expect(await failure(store.delete('a'))).toMatchObject({ code: 'StoreDenied' });
      expect(Buffer.from(await store.get('a')).toString()).toBe('content');
      await store.close();
    } finally {
      await readOnly.stop();
    }
  });

  it('a full disk of the server: DiskFull with what is left, nothing half-written, and it works again with space [M10]', async (context) => {
    const small = join(server.data, 'small');
    await mkdir(small);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]).then(
      () => true,
      () => false,
    );
    if (!mounted) context.skip('this machine allows no mount');
    try {
      const store = await open('small/vault');
      await store.put('chunks/small', Buffer.from('x'), FRESH);
      const big = Buffer.alloc(2 * 1024 * 1024, 'x');
      expect(await failure(store.put('chunks/big', big, FRESH))).toMatchObject({ code: 'DiskFull' });
      expect(await keys(store, '')).toEqual(['chunks/small']);
      await expect.poll(() => readdir(join(small, 'vault/.tmp')), { timeout: 30_000 }).toEqual([]);
      await run('mount', ['-o', 'remount,size=8m', small]);
      expect(await store.put('chunks/big', big, FRESH)).toBe('written');
      await store.close();
    } finally {
      await run('umount', ['--lazy', small]);
    }
  });
});
