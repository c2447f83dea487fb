import { execFile } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeFile } from '../../src/seal/place-file.ts';
import { directoryFailure } from '../../src/stores/directory-errors.ts';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { runWithoutPrivilege } from '../support/without-privilege.ts';
import { conformance, keys, text } from './conformance.ts';

const run = promisify(execFile);
const noSecrets = () => Promise.reject(new Error('a directory needs no secret'));
let base: string;

function open(name: string, mustBeMounted = false): Promise<Store> {
  const path = name.startsWith('/') ? name : join(base, name);
  return openStore({ name: 'disk', kind: 'directory', path, mustBeMounted }, noSecrets);
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-directory-'));
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

conformance('directory', () => open('conformance'));

describe('a directory store', () => {
  it('a written object: only its owner can read it, and nothing temporary is left', async () => {
    const store = await open('modes');
    await store.put('chunks/ab/cd', Buffer.from('secret'), { createOnly: true });
    await store.put('chunks/ab/cd', Buffer.from('secret'), { createOnly: true });
    const mode = async (path: string) => (await stat(join(base, 'modes', path))).mode & 0o777;
    expect(await mode('chunks/ab/cd')).toBe(0o600);
    expect([await mode('chunks'), await mode('chunks/ab'), await mode('.tmp')]).toEqual([0o700, 0o700, 0o700]);
    await store.sync();
    expect(await readdir(join(base, 'modes', '.tmp'))).toEqual([]);
    expect(store.localPath?.('chunks/ab/cd')).toBe(join(base, 'modes', 'chunks', 'ab', 'cd'));
  });

  it('an object handed out to a thread: lies there like any other and is synced; a taken name is left as it is', async () => {
    const store = await open('handed-out');
    const place = async (content: string): Promise<boolean> => {
      const handed = await store.handOut?.('chunks/ab/cd');
      if (handed === undefined) throw new Error('nothing was handed out');
      const placed = placeFile(handed, Buffer.from(content));
      handed.over();
      return placed;
    };
    expect(await place('first')).toBe(true);
    expect((await stat(join(base, 'handed-out', 'chunks/ab/cd'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(base, 'handed-out', '.tmp'))).toEqual([expect.stringContaining('writing_')]);
    await store.sync();
    expect(await readdir(join(base, 'handed-out', '.tmp'))).toEqual([]);
    expect(await place('second')).toBe(false);
    expect(text(await store.get('chunks/ab/cd'))).toBe('first');
    await rm(join(base, 'handed-out', 'chunks'), { recursive: true });
    expect(await place('third')).toBe(false);
    await store.sync();
    expect(await readdir(join(base, 'handed-out', '.tmp'))).toEqual([]);
  });

  it('opening: makes nothing, and an absent directory lists as empty', async () => {
    const store = await open('absent');
    expect(await keys(store, '')).toEqual([]);
    await store.sync();
    await expect(stat(join(base, 'absent'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('sync: syncs the filesystem when something may not be durable, and reports a disk that says no', async () => {
    const tools = join(base, 'tools');
    await mkdir(tools);
    const calls = async () => (await readFile(join(tools, 'calls'), 'utf8')).trim().split('\n');
    const fake = (exitCode: number) =>
      writeFile(join(tools, 'sync'), `#!/bin/sh\necho "$@" >> ${join(tools, 'calls')}\nexit ${exitCode}\n`, {
        mode: 0o755,
      });
    const path = process.env['PATH'];
    process.env['PATH'] = `${tools}:${path ?? ''}`;
    try {
      await fake(0);
      const store = await open('syncing');
      const call = `-f -- ${join(base, 'syncing')}`;
      await store.put('a', Buffer.from('x'), { createOnly: true });
      await store.sync();
      await store.sync();
      expect(await calls()).toEqual([call]);
      await store.delete('a');
      await fake(1);
      await expect(store.sync()).rejects.toMatchObject({ code: 'StoreUnreachable' });
      await fake(0);
      await store.sync();
      expect(await calls()).toEqual([call, call, call]);
      // What a process that died has written may still be in the page cache.
      await (await open('syncing')).sync();
      expect(await calls()).toHaveLength(4);
    } finally {
      process.env['PATH'] = path;
    }
  });

  it('directories removed behind its back: the next write makes them again', async () => {
    const store = await open('removed');
    await store.put('chunks/ab/one', Buffer.from('1'), { createOnly: true });
    for (const name of ['chunks', '.tmp']) await rm(join(base, 'removed', name), { recursive: true });
    expect(await store.put('chunks/ab/two', Buffer.from('2'), { createOnly: true })).toBe('written');
    expect(text(await store.get('chunks/ab/two'))).toBe('2');
  });

  it('its root moved away, then another directory in its place: nothing is written there, until it is back', async () => {
    const store = await open('cut-off');
    const root = join(base, 'cut-off');
    await store.put('chunks/ab/one', Buffer.from('1'), { createOnly: true });
    await rename(root, `${root}.away`);
    const attempt = () => store.put('chunks/ab/two', Buffer.from('2'), { createOnly: true });
    await expect(attempt()).rejects.toMatchObject({ code: 'StoreNotMounted' });
    await mkdir(root);
    await expect(attempt()).rejects.toMatchObject({ code: 'StoreNotMounted' });
    expect(await readdir(root)).toEqual([]);
    await rm(root, { recursive: true });
    await rename(`${root}.away`, root);
    expect(await attempt()).toBe('written');
    expect(text(await store.get('chunks/ab/one'))).toBe('1');
  });

  it('links, foreign names and half-written files in it: are no objects', async () => {
    const store = await open('foreign');
    await store.put('chunks/good', Buffer.from('x'), { createOnly: true });
    const root = join(base, 'foreign');
    await writeFile(join(base, 'outside'), 'a secret of somebody else');
    await symlink(join(base, 'outside'), join(root, 'chunks', 'link'));
    await writeFile(join(root, '.tmp', '123-half'), 'half');
    await writeFile(join(root, 'System Volume Information'), 'x');
    await mkdir(join(root, 'lost+found'));
    expect(await keys(store, '')).toEqual(['chunks/good']);
    expect(await store.head('chunks/link')).toBeUndefined();
    await expect(store.get('chunks/link')).rejects.toMatchObject({ name: 'HoldfastError' });
  });

  it('what a killed writer left half-written: is removed by a later writer after a day, and not before', async () => {
    const area = join(base, 'killed', '.tmp');
    await mkdir(area, { recursive: true });
    for (const name of ['1-old', '1-young']) await writeFile(join(area, name), 'half');
    const longAgo = Date.now() / 1000 - 25 * 3600;
    await utimes(join(area, '1-old'), longAgo, longAgo);
    const store = await open('killed');
    await store.put('a', Buffer.from('x'), { createOnly: true });
    expect(await readdir(area)).toEqual(['1-young']);
  });

  it('a store that must be mounted: a plain directory is refused, a mount is taken', async () => {
    await expect(open('not-mounted', true)).rejects.toMatchObject({ code: 'StoreNotMounted' });
    await mkdir(join(base, 'plain'));
    await expect(open('plain', true)).rejects.toMatchObject({ code: 'StoreNotMounted' });
    await expect(open('/proc', true)).resolves.toMatchObject({ kind: 'directory' });
  });

  it('a place where nobody may write: says so by code [M10]', async () => {
    // sysfs lets not even root make a directory.
    const store = await open('/sys/holdfast-test-store');
    const written = store.put('a', Buffer.from('x'), { createOnly: true });
    await expect(written).rejects.toMatchObject({ code: 'StoreDenied' });
    await expect(written).rejects.toThrow('write a');
  });

  it.each([
    ['ENOSPC', 'DiskFull'],
    ['EDQUOT', 'DiskFull'],
    ['EACCES', 'StoreDenied'],
    ['EROFS', 'StoreDenied'],
    ['ESTALE', 'StoreUnreachable'],
    ['EIO', 'StoreUnreachable'],
  ])('the error %s: means %s [M10]', (code, expected) => {
    const cause = Object.assign(new Error('told'), { code });
    expect(directoryFailure('directory /mnt/nas', 'write a', cause)).toMatchObject({ code: expected, cause });
  });

  it('a full disk: the write fails as DiskFull, leaves nothing half-written, and works again with space [M10]', async (context) => {
    const mount = join(base, 'tiny');
    await mkdir(mount);
    // A mount namespace of its own: the small filesystem vanishes with the process.
    const script = join(import.meta.dirname, 'full-disk-child.ts');
    const inside = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" "$1"';
    const options = ['-m', '--propagation', 'private', 'sh', '-c', inside, 'sh', mount, process.execPath, script];
    const possible = await run('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs "$1"', 'sh', mount]).then(
      () => true,
      () => false,
    );
    if (!possible) context.skip('this machine allows no mount');
    const { stdout } = await run('unshare', options);
    expect(JSON.parse(stdout)).toEqual({
      full: 'DiskFull',
      leftover: [],
      listed: ['small'],
      afterFreeing: 'written',
    });
  });

  it('rights taken away from an ordinary user: reading says StoreDenied [M10]', async () => {
    const store = await open('rights');
    await store.put('a', Buffer.from('x'), { createOnly: true });
    await chmod(join(base, 'rights', 'a'), 0);
    const script = join(import.meta.dirname, 'forbidden-child.ts');
    expect(await runWithoutPrivilege(script, join(base, 'rights'), 'a')).toEqual({ code: 'StoreDenied' });
  });
});
