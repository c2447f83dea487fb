import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FILE_CALLS } from '../../src/stores/directory-files.ts';
import type { FileCalls } from '../../src/stores/directory-files.ts';
import { openDirectoryStore } from '../../src/stores/directory.ts';
import { codeIn } from '../../src/stores/sync-filesystem.ts';
import { infos, keys, text } from './conformance.ts';

const FRESH = { createOnly: true } as const;
const REPLACE = { createOnly: false } as const;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-mounts-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function broken(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: told to fail`), { code });
}

/** The store over a filesystem some of whose calls are others. */
const openWith = (calls: Partial<FileCalls>) =>
  openDirectoryStore({ path: root, mustBeMounted: false }, { ...FILE_CALLS, ...calls });

/** Fails with the code so often, then does what it should. */
function failing<Args extends readonly unknown[], T>(
  times: number,
  code: string,
  call: (...args: Args) => Promise<T>,
): (...args: Args) => Promise<T> {
  let left = times;
  return (...args) => {
    left -= 1;
    return left >= 0 ? Promise.reject(broken(code)) : call(...args);
  };
}

describe('a directory store on a mount that loses answers [T2]', () => {
  it.each(['EEXIST', 'EIO', 'ETIMEDOUT'])(
    'a link that was made, and its answer is %s: the file under the name is ours, so it is written',
    async (code) => {
      const store = await openWith({
        link: async (from, to) => {
          await FILE_CALLS.link(from, to);
          throw broken(code);
        },
      });
      expect(await store.put('backups/daily/1.json', Buffer.from('ours'), FRESH)).toBe('written');
      expect(await readFile(join(root, 'backups/daily/1.json'), 'utf8')).toBe('ours');
    },
  );

  it('a link that was not made, because somebody else has the name: exists, whatever the bytes are', async () => {
    const store = await openWith({});
    await store.put('backups/daily/1.json', Buffer.from('same'), FRESH);
    expect(await store.put('backups/daily/1.json', Buffer.from('same'), FRESH)).toBe('exists');
  });

  it('a rename that was made, and made again finds nothing: is written; one that really failed is told', async () => {
    const twice = await openWith({
      rename: async (from, to) => {
        await FILE_CALLS.rename(from, to);
        await FILE_CALLS.rename(from, to);
      },
    });
    await twice.put('a', Buffer.from('old'), REPLACE);
    expect(await twice.put('a', Buffer.from('new'), REPLACE)).toBe('written');
    expect(text(await twice.get('a'))).toBe('new');
    const never = await openWith({ rename: () => Promise.reject(broken('ENOENT')) });
    await expect(never.put('a', Buffer.from('lost'), REPLACE)).rejects.toMatchObject({ name: 'HoldfastError' });
    expect(text(await never.get('a'))).toBe('new');
  });

  it('handles that went stale: are had anew, for a while', async () => {
    const store = await openWith({
      writeFile: failing(2, 'ESTALE', FILE_CALLS.writeFile) as FileCalls['writeFile'],
      open: failing(2, 'ESTALE', FILE_CALLS.open),
      unlink: failing(1, 'ESTALE', FILE_CALLS.unlink),
    });
    expect(await store.put('a', Buffer.from('x'), FRESH)).toBe('written');
    expect(text(await store.get('a'))).toBe('x');
    await store.delete('a');
    const gone = await openWith({ open: () => Promise.reject(broken('ESTALE')) });
    await store.put('a', Buffer.from('x'), FRESH);
    await expect(gone.get('a')).rejects.toMatchObject({ code: 'StoreUnreachable', waitingHelps: true });
  });

  it('a file that is removed while somebody has it open: is no object under the name that NFS gives it', async () => {
    const store = await openWith({});
    await store.put('chunks/aa/1', Buffer.from('x'), FRESH);
    await writeFile(join(root, 'chunks/aa/.nfs00000000deadbeef00000001'), 'x');
    expect(await keys(store, '')).toEqual(['chunks/aa/1']);
  });
});

describe('a directory store whose disk takes bytes and does not keep them [T2]', () => {
  it.each([
    ['ENOSPC', 'DiskFull'],
    ['EDQUOT', 'DiskFull'],
    ['EIO', 'StoreUnreachable'],
  ])('%s when a record is synced: %s, and it has no name', async (code, expected) => {
    const store = await openWith({
      writeFile: (async (path: string) => {
        await writeFile(path, 'hal');
        throw broken(code);
      }) as FileCalls['writeFile'],
    });
    await expect(store.put('backups/daily/1.json', Buffer.from('half'), FRESH)).rejects.toMatchObject({
      code: expected,
      waitingHelps: true,
    });
    expect(await keys(store, '')).toEqual([]);
    expect((await readdir(join(root, '.tmp'))).filter((name) => /^\d+-/.test(name))).toEqual([]);
  });

  it.each([
    ['ENOSPC', 'DiskFull'],
    ['EDQUOT', 'DiskFull'],
    ['EIO', 'StoreUnreachable'],
  ])('%s at the sync after chunks: %s; the next sync succeeds, and they are doubtful', async (code, expected) => {
    const store = await openWith({ syncFilesystem: failing(1, code, () => Promise.resolve()) });
    await store.put('chunks/aa/1', Buffer.from('lost?'), FRESH);
    await expect(store.sync()).rejects.toMatchObject({ code: expected, waitingHelps: true });
    await store.sync();
    expect(await infos(store, '')).toMatchObject([{ key: 'chunks/aa/1', doubtful: true }]);
    const other = await openWith({});
    expect(await other.head('chunks/aa/1')).toMatchObject({ doubtful: true });
    expect(await store.put('chunks/aa/1', Buffer.from('whole'), FRESH)).toBe('written');
    await store.sync();
    expect(text(await other.get('chunks/aa/1'))).toBe('whole');
    // What is written in the same tick of the clock is still in doubt, and stored once more.
    const trusted = async (): Promise<boolean> => {
      await store.put('chunks/aa/1', Buffer.from('whole'), FRESH);
      return (await store.head('chunks/aa/1'))?.doubtful === undefined;
    };
    await expect.poll(trusted, { timeout: 30_000 }).toBe(true);
  });

  it('what the program that syncs says: is understood', () => {
    const said = (words: string) => codeIn(`Command failed: sync -f -- /mnt\nsync: error syncing '/mnt': ${words}\n`);
    expect(said('No space left on device')).toBe('ENOSPC');
    expect(said('Disk quota exceeded')).toBe('EDQUOT');
    expect(said('Input/output error')).toBe('EIO');
    expect(said('Stale file handle')).toBe('ESTALE');
    expect(said('Something else')).toBeUndefined();
  });
});

describe('a directory store whose mount goes [T2]', () => {
  it('in the middle of a capture: no write reaches what lies below it', async () => {
    const store = await openWith({});
    await store.put('chunks/aa/1', Buffer.from('x'), FRESH);
    // What lies below a mount is another directory of the same name.
    await rename(root, `${root}-unmounted`);
    await mkdir(root);
    for (const key of ['chunks/aa/2', 'backups/daily/1.json']) {
      await expect(store.put(key, Buffer.from('x'), FRESH)).rejects.toMatchObject({ code: 'StoreNotMounted' });
    }
    await expect(store.sync()).rejects.toMatchObject({ code: 'StoreNotMounted' });
    expect(await readdir(root)).toEqual([]);
    await rm(`${root}-unmounted`, { recursive: true });
  });
});
