import { mkdir, mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/stores/index.ts';
import type { Store } from '../../src/stores/index.ts';
import { infos, text } from './conformance.ts';

const ANOTHER_BOOT = '11111111-2222-3333-4444-555555555555';
const CREATE = { createOnly: true } as const;
const MINUTE_MS = 60_000;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-unsynced-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const open = (): Promise<Store> =>
  openStore({ name: 'disk', kind: 'directory', path: root, mustBeMounted: false }, () =>
    Promise.reject(new Error('none')),
  );
const area = () => readdir(join(root, '.tmp'));

async function setTime(path: string, minutesAgo: number): Promise<void> {
  const at = (Date.now() - minutesAgo * MINUTE_MS) / 1000;
  await utimes(join(root, path), at, at);
}

/** A store as a machine leaves it that lost its power in the middle of a capture, twenty minutes ago. */
async function afterPowerLoss(host = hostname()): Promise<Store> {
  const before = await open();
  for (const key of ['chunks/aa/old', 'chunks/aa/torn', 'backups/daily/torn']) {
    await before.put(key, Buffer.from(`content of ${key}`), CREATE);
  }
  await before.sync();
  await truncate(join(root, 'chunks/aa/torn'), 0);
  await setTime('chunks/aa/old', 60);
  for (const key of ['chunks/aa/torn', 'backups/daily/torn']) await setTime(key, 20);
  const marker = join('.tmp', `writing_${host}_${ANOTHER_BOOT}_4711_x`);
  await writeFile(join(root, marker), '');
  await setTime(marker, 25);
  return open();
}

describe('a directory store after the power went [M10]', () => {
  it('chunks no sync had covered: are doubtful, older ones and signed records are not', async () => {
    const store = await afterPowerLoss();
    const doubtful = (await infos(store, '')).filter((info) => info.doubtful === true).map((info) => info.key);
    expect(doubtful).toEqual(['chunks/aa/torn']);
    expect(await store.head('chunks/aa/torn')).toMatchObject({ doubtful: true });
  });

  it('a doubtful chunk that is wanted again: is replaced by whole bytes and trusted from then on', async () => {
    const store = await afterPowerLoss();
    expect(await store.put('chunks/aa/torn', Buffer.from('whole'), CREATE)).toBe('written');
    expect(text(await store.get('chunks/aa/torn'))).toBe('whole');
    await store.sync();
    expect((await (await open()).head('chunks/aa/torn'))?.doubtful).toBeUndefined();
    expect((await (await open()).head('chunks/aa/old'))?.doubtful).toBeUndefined();
    expect(await store.put('chunks/aa/old', Buffer.from('other'), CREATE)).toBe('exists');
  });

  it('a record in the same window: keeps its exclusive name', async () => {
    const store = await afterPowerLoss();
    expect(await store.put('backups/daily/torn', Buffer.from('other'), CREATE)).toBe('exists');
    expect(text(await store.get('backups/daily/torn'))).toBe('content of backups/daily/torn');
  });

  it('what is doubtful: stays so through later syncs and for later processes', async () => {
    await (await afterPowerLoss()).sync();
    const later = await open();
    await later.put('chunks/bb/new', Buffer.from('x'), CREATE);
    await later.sync();
    expect(await (await open()).head('chunks/aa/torn')).toMatchObject({ doubtful: true });
  });

  it('another host that writes at this moment: makes nothing doubtful', async () => {
    const store = await afterPowerLoss('another-host');
    expect((await infos(store, '')).filter((info) => info.doubtful === true)).toEqual([]);
  });
});

describe('the marker of unsynced writes', () => {
  it('lies in the store from before the first chunk until the sync, and not for records', async () => {
    const store = await open();
    await store.put('backups/a', Buffer.from('x'), CREATE);
    expect(await area()).toEqual([]);
    await Promise.all(['a', 'b', 'c'].map((name) => store.put(`chunks/${name}`, Buffer.from(name), CREATE)));
    expect(await area()).toEqual([expect.stringMatching(`^writing_.*_${process.pid}_`)]);
    await store.sync();
    expect(await area()).toEqual([]);
    await store.put('lists/a', Buffer.from('x'), CREATE);
    expect(await area()).toHaveLength(1);
  });

  it('of a process that was killed: is cleared by the next sync in the same boot, because that covers its writes', async () => {
    const store = await open();
    await store.put('chunks/a', Buffer.from('x'), CREATE);
    const [own = ''] = await area();
    await store.sync();
    await mkdir(join(root, '.tmp'), { recursive: true });
    // No process has this id: it is beyond the largest the kernel gives.
    await writeFile(join(root, '.tmp', own.replace(`_${process.pid}_`, '_999999999_')), '');
    await (await open()).sync();
    expect(await area()).toEqual([]);
  });
});
