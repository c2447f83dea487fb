import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { makeSite, textOf, type Site } from './site.ts';

/** A database and its ledger together each day, the database alone each hour, and files that nobody needs to live. */
function describeSystem(data: (name: string) => string): string {
  const script = path.join(data('config'), 'count.sh');
  return [
    'components:',
    `  database: { kind: sqlite, path: ${data('shop.sqlite')}, tier: critical }`,
    `  config: { kind: files, path: ${data('config')} }`,
    `  uploads: { kind: files, path: ${data('uploads')}, tier: reference }`,
    `  cache: { kind: files, path: ${data('cache')}, tier: reference }`,
    'plans:',
    '  hourly: { components: [database], stores: [disk], rpo: 1h }',
    '  daily: { components: [database, config], stores: [disk], rpo: 1d }',
    '  weekly: { components: [uploads], stores: [disk], rpo: 7d }',
    '  never: { components: [cache], stores: [disk] }',
    'checks:',
    '  tables: { sql: { component: database, query: select count(*) from orders, atLeast: 1 }, within: 5s }',
    `  script: { command: [${script}], within: 20s }`,
    'reconcile:',
    "  orders: { sql: { component: database, query: \"select 'order ' || id, 'paid', state from orders where state <> 'paid'\" } }",
    'objectives: { rto: 4h, tiers: { critical: 1h } }',
  ].join('\n');
}

let site: Site;
beforeAll(async () => {
  site = await makeSite(describeSystem);
  for (const name of ['config', 'uploads', 'cache']) await mkdir(site.data(name));
  await writeFile(path.join(site.data('config'), 'count.sh'), '#!/bin/sh\ntest -f "$(dirname "$0")/good"\n', {
    mode: 0o755,
  });
  await writeFile(path.join(site.data('config'), 'good'), 'yes');
  await writeFile(path.join(site.data('uploads'), 'one.txt'), 'one');
  await writeFile(path.join(site.data('cache'), 'warm'), 'warm');
  const database = open();
  database.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)');
  database.exec("INSERT INTO orders VALUES (1, 'paid'), (2, 'open')");
  database.close();
  await site.startWorkers();
});
afterAll(() => site[Symbol.asyncDispose]());

function open(): DatabaseSync {
  return new DatabaseSync(site.data('shop.sqlite'));
}

function orders(): number {
  const database = open();
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM orders').get()?.['n']);
  } finally {
    database.close();
  }
}

const backUp = (plan: string) => site.run<BackupResult>('backup', { plan });

async function planned(more: object = {}): Promise<RestorePlan> {
  return (await site.run<RestoreResult>('restore', { whole: true, mode: 'plan', ...more })).plan;
}

async function restored(more: object = {}): Promise<RestoreResult> {
  const { digest } = await planned(more);
  return site.run<RestoreResult>('restore', { whole: true, ...more, approve: digest, approvedBy: 'ann' });
}

async function wreck(): Promise<void> {
  const database = open();
  database.exec('DELETE FROM orders');
  database.close();
  await rm(path.join(site.data('config'), 'good'));
  await rm(site.data('uploads'), { recursive: true });
}

/** What a restore made and did not take away; what it keeps aside is no leftover. */
async function leftovers(): Promise<string[]> {
  return (await readdir(site.data(''))).filter((name) => /holdfast/.test(name) && !/before|aside/.test(name));
}

describe('a whole system', () => {
  it('[M5] [T9] [G5] lost: each part from the newest backup that fits, checked, compared, measured, reported', async () => {
    const weekly = await backUp('weekly');
    const daily = await backUp('daily');
    const database = open();
    database.exec("INSERT INTO orders VALUES (3, 'paid')");
    database.close();
    await wreck();

    const plan = await planned();
    const parts = plan.whole?.parts ?? [];
    expect(Object.fromEntries(parts.map(({ name, backup }) => [name, backup]))).toEqual({
      database: daily.backup,
      config: daily.backup,
      uploads: weekly.backup,
    });
    expect(plan.whole?.missing).toEqual([
      { name: 'cache', why: 'it has no backup in a store that answers', needed: false },
    ]);
    expect((await planned()).digest).toBe(plan.digest);
    expect(orders()).toBe(0);

    const result = await restored();
    expect(result.outcome).toBe('restored');
    expect(orders()).toBe(2);
    expect(await textOf(path.join(site.data('uploads'), 'one.txt'))).toBe('one');
    expect(await textOf(path.join(site.data('cache'), 'warm'))).toBe('warm');
    expect(result.safetyBackup).toBeDefined();
    expect(result.whole?.checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['tables', true],
      ['script', true],
    ]);
    expect(result.whole?.reconcile).toMatchObject([
      { name: 'orders', outcome: 'differs', differenceCount: 1, kept: { host: 'alpha', count: 1 } },
    ]);
    expect(JSON.stringify(result)).not.toContain('order 2');
    expect(result.whole?.rto?.objectives.map(({ of, met }) => [of, met])).toEqual([
      ['system', true],
      ['tier critical', true],
    ]);
    expect(result.whole?.phases.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['restore beside', 'swap in', 'start', 'validate', 'reconcile']),
    );
    expect(await leftovers()).toEqual([]);

    const reports = path.join(site.directory, 'home/reports', site.system, 'restore');
    const [report = ''] = (await readdir(reports)).filter((name) => name.endsWith('.md'));
    const text = await readFile(path.join(reports, report), 'utf8');
    expect(text).toContain(`# Restore of ${site.system}: restored`);
    expect(text).toContain('order 2: expected paid, found open');
  });

  it('[B7] one command with --before on the command line: printed plan, refused without approval, nothing touched', async () => {
    const answer = await site
      .holdfast('restore', site.system, '--whole', '--before', new Date(Date.now() + 60_000).toISOString(), '--dry-run')
      .catch((error: unknown) => (error as { stdout: string }).stdout);
    expect(answer).toContain('3 components from 2 backups, before ');
    expect(answer).toContain('cache: it has no backup in a store that answers; it is left as it is');
    const early = await site
      .holdfast('restore', site.system, '--whole', '--before', '2020-01-01T00:00:00Z', '--dry-run')
      .catch((error: unknown) => (error as { stderr: string }).stderr);
    expect(early).toContain('BackupMissing');
    await expect(site.holdfast('restore', site.system, 'abc', '--whole')).rejects.toThrow(
      /--whole chooses its backups/,
    );
  });

  it('[G5] a part that nobody needs is damaged in the store: left as it was with a warning, the rest comes back', async () => {
    await writeFile(path.join(site.data('uploads'), 'two.txt'), 'two'.repeat(1000));
    const { manifestKey = '' } = await backUp('weekly');
    const keep = await textOf(path.join(site.data('uploads'), 'two.txt'));
    await loseLists(manifestKey);
    await wreck();
    await mkdir(site.data('uploads'));
    await writeFile(path.join(site.data('uploads'), 'mine.txt'), 'written since');
    const result = await restored();
    expect(result.outcome).toBe('restored');
    expect(orders()).toBe(2);
    expect(result.whole?.left.map(({ name }) => name)).toEqual(['uploads']);
    expect(result.warnings?.join()).toContain('uploads was left as it was');
    expect(await readdir(site.data('uploads'))).toEqual(['mine.txt']);
    expect(keep.length).toBe(3000);
    expect(await leftovers()).toEqual([]);
  });

  it('[G5] the newest backup of what is needed has lost its lists: told, the next older one is planned, approved by itself and restored', async () => {
    const write = (sql: string): void => {
      const database = open();
      database.exec(sql);
      database.close();
    };
    const older = await backUp('hourly');
    const before = orders();
    write("INSERT INTO orders VALUES (10, 'paid')");
    const newest = await backUp('hourly');
    await loseLists(newest.manifestKey ?? '');
    write('DELETE FROM orders');

    const { digest } = await planned({ components: 'database' });
    const waiting = await site
      .holdfast('restore', site.system, '--whole', '--component', 'database', '--approve', digest, '--json')
      .catch((error: unknown) => (error as { stdout: string }).stdout);
    const { plan, waitingFor } = JSON.parse(waiting) as { plan: RestorePlan; waitingFor: string };
    expect(waitingFor).toContain('approval of an older backup');
    expect(plan.digest).not.toBe(digest);
    expect(plan.whole).toMatchObject({
      parts: [{ name: 'database', backup: older.backup, moreLostSeconds: expect.any(Number) as number }],
      passedOver: [{ component: 'database', backup: newest.backup, store: 'disk' }],
      fallBacks: { made: 1, most: 3 },
    });
    expect(orders()).toBe(0);
    await site.holdfast('approve', site.system, plan.digest);
    const result = (await site.env.client.workflow.getHandle(`${site.system}/restore`).result()) as RestoreResult;
    expect(result.outcome).toBe('restored');
    expect(orders()).toBe(before);
    expect(await leftovers()).toEqual([]);
    const reports = path.join(site.directory, 'home/reports', site.system, 'restore');
    const written = (await readdir(reports)).filter((name) => name.endsWith('.md'));
    const texts = await Promise.all(written.map((name) => readFile(path.join(reports, name), 'utf8')));
    expect(texts.filter((text) => text.includes('### Passed over')).join()).toContain(newest.backup);
  });

  it('[T9] the database itself is in no backup: nothing is touched, and the answer names it', async () => {
    const manifests = path.join(site.directory, 'store/backups');
    for (const plan of ['hourly', 'daily']) await rm(path.join(manifests, plan), { recursive: true, force: true });
    await backUp('weekly');
    const run = site.run<RestoreResult>('restore', { whole: true, approve: 'a'.repeat(64), approvedBy: 'ann' });
    await expect(run).rejects.toMatchObject({ cause: { type: 'BackupMissing' } });
    expect((await planned()).whole?.missing.filter(({ needed }) => needed).map(({ name }) => name)).toEqual([
      'database',
    ]);
  });
});

/** Removes the lists that only this manifest names: its component can't be read any more. */
async function loseLists(manifestKey: string): Promise<void> {
  const store = path.join(site.directory, 'store');
  const envelope = JSON.parse(await readFile(path.join(store, manifestKey), 'utf8')) as { body: string | object };
  const body = (typeof envelope.body === 'string' ? JSON.parse(envelope.body) : envelope.body) as {
    components: { artifacts: { root: string }[] }[];
  };
  for (const { root } of body.components.flatMap(({ artifacts }) => artifacts)) {
    await rm(path.join(store, 'lists', root.slice(0, 2), root));
  }
}
