/** Whole stores on real workers: a store is read back, what is bad in it is healed from the other one. */
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SystemNumbers } from '../../src/status/numbers.ts';
import type { BackupResult, VerifyStoreResult } from '../../src/workflows/contract.ts';
import { filesWithAway, makeSite, type Site } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await makeSite((data) => filesWithAway(data, ['stores: [disk, away]']));
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
});

interface Status {
  readonly systems: readonly {
    readonly stores: readonly { store: string; errors: number; fraction: number }[];
    readonly copies: readonly { plan: string; errors?: number }[];
  }[];
}

describe('[M6] whole stores', () => {
  test('a chunk rots: status tells until it is healed from the other store', async () => {
    await mkdir(site.data('files'));
    await writeFile(path.join(site.data('files'), 'one.txt'), 'a line\n'.repeat(5000));
    const made = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(made.outcome).toBe('done');
    await site.run('copy', { target: 'away' });
    for (const store of ['store', 'away']) await ageManifests(path.join(site.directory, store));
    const chunk = await firstChunk(path.join(site.directory, 'store'));
    const good = await readFile(chunk);
    await writeFile(chunk, good.subarray(0, -1));

    const found = await site.run<VerifyStoreResult>('verifyStore', { store: 'disk', all: true });
    expect(found).toMatchObject({ ok: false, stores: [{ parts: 256, opened: true, bad: [{ outcome: 'found' }] }] });
    expect(found.stores[0]?.bad[0]?.backups).toContain(made.backup);
    expect(await errorsInStatus()).toEqual({ disk: 1, away: 0 });
    expect(await provedIn('daily')).toBeUndefined();
    // The last number of 3-2-1-1-0.
    expect((await status()).copies).toMatchObject([{ plan: 'daily', errors: 1 }]);

    const healed = await site.run<VerifyStoreResult>('verifyStore', { all: true, heal: true });
    expect(healed).toMatchObject({ ok: true, stores: [{ bad: [{ outcome: 'healed', from: 'away' }] }, { bad: [] }] });
    expect(await readFile(chunk)).toEqual(good);
    expect(await errorsInStatus()).toEqual({ disk: 0, away: 0 });
    expect((await status()).copies).toMatchObject([{ plan: 'daily', errors: 0 }]);
    // All that it names was read back, opened, and found good.
    expect(await provedIn('daily')).toBe(made.backup);
  });
});

async function status(): Promise<Status['systems'][number]> {
  const text = await site.holdfast('status', site.system, '--json').catch((error: unknown) => {
    return (error as { stdout: string }).stdout;
  });
  const [system] = (JSON.parse(text) as Status).systems;
  if (system === undefined) throw new Error('status tells of no system');
  return system;
}

/** The newest proved backup, by monitoring. */
async function provedIn(plan: string): Promise<string | undefined> {
  const text = await site.holdfast('monitor', site.system, '--json').catch((error: unknown) => {
    return (error as { stdout: string }).stdout;
  });
  const { systems } = JSON.parse(text) as { systems: { facts: SystemNumbers }[] };
  return systems[0]?.facts.plans.find((one) => one.plan === plan)?.newestProved?.id;
}

/** As if they had come there a minute before. */
async function ageManifests(store: string): Promise<void> {
  const before = new Date(Date.now() - 60_000);
  const names = await readdir(path.join(store, 'backups'), { recursive: true, withFileTypes: true });
  for (const name of names.filter((one) => one.isFile())) {
    await utimes(path.join(name.parentPath, name.name), before, before);
  }
}

async function errorsInStatus(): Promise<Record<string, number>> {
  return Object.fromEntries((await status()).stores.map(({ store, errors }) => [store, errors]));
}

async function firstChunk(store: string): Promise<string> {
  const names = await readdir(path.join(store, 'chunks'), { recursive: true, withFileTypes: true });
  const file = names.find((name) => name.isFile());
  if (file === undefined) throw new Error('the store has no chunk');
  return path.join(file.parentPath, file.name);
}
