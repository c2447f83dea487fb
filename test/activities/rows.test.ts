/** Rows put back by real workers into a SQLite database that is in use. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { RowsPlan, RowsResult } from '../../src/workflows/contract.ts';
import { failureOf, waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { approvedRows, killedBeforeWriting, previewedRows } from './rows-helpers.ts';
import { makeSite, type Site } from './site.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let site: Site;
let writer: ChildProcess;

beforeAll(async () => {
  site = await makeSite((data) =>
    [
      'components:',
      `  wallets: { kind: sqlite, tier: critical, path: ${data('wallets.db')} }`,
      'plans:',
      '  daily: { components: [wallets], stores: [disk] }',
    ].join('\n'),
  );
  live((database) => {
    database.exec(`PRAGMA journal_mode = wal;
      CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
      CREATE TABLE transfers (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
      CREATE TABLE users (id INTEGER PRIMARY KEY, secret TEXT);
      INSERT INTO users VALUES (1, 'hunter2'), (2, 'correct horse')`);
    for (let index = 0; index < 100; index += 1) database.exec('INSERT INTO accounts (balance) VALUES (1000)');
  });
  await site.startWorkers();
  writer = fork(path.join(import.meta.dirname, '../sources/sqlite-writer.ts'), [site.data('wallets.db')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await eventually('some transfers', () => transfers() > 100 || undefined);
  expect(await site.run('backup', { plan: 'daily' })).toMatchObject({ outcome: 'done' });
});

afterAll(async () => {
  if (writer.exitCode === null) {
    const ended = once(writer, 'exit');
    writer.send('stop');
    await ended;
  }
  await site[Symbol.asyncDispose]();
});

function live<T>(use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(site.data('wallets.db'), { timeout: 60_000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

const ask = (query: string): number =>
  live((database) => Number(Object.values(database.prepare(query).get() ?? {})[0]));
const transfers = (): number => ask('SELECT count(*) FROM transfers');

const approved = async (input: object): Promise<RowsResult> =>
  (await approvedRows(site, { component: 'wallets', ...input })).result;

const rowsDirectory = (): string => path.join(site.directory, 'home/state', site.system, 'rows');

test('accidental deletion: only the deleted rows come back, while the owner goes on writing [B8]', async () => {
  live((database) => {
    database.exec('DELETE FROM transfers WHERE id <= 40; DELETE FROM users WHERE id = 1');
  });
  const before = transfers();
  const result = await approved({ table: 'transfers', where: 'id <= 60' });
  expect(result).toMatchObject({ outcome: 'restored', added: 40, replaced: 0 });
  expect(result.checks.every(({ ok }) => ok)).toBe(true);
  expect(ask('SELECT count(*) FROM transfers WHERE id <= 60')).toBe(60);
  await eventually('the owner goes on', () => transfers() > before + 40 || undefined);
  // Nobody asked for the user.
  expect(ask('SELECT count(*) FROM users')).toBe(1);
  expect(ask('SELECT sum(balance) FROM accounts')).toBe(100_000);
  expect(await readdir(path.join(rowsDirectory(), path.basename(path.dirname(result.plan.keysFile))))).toEqual([
    'keys.jsonl',
  ]);
  const again = await site.run<RowsResult>('restoreRows', {
    component: 'wallets',
    table: 'transfers',
    where: 'id <= 60',
  });
  expect(again.outcome).toBe('nothing');
});

test('what rows hold stands in no history: the preview has numbers, the keys are in a closed file', async () => {
  const handle = await site.start('restoreRows', {
    component: 'wallets',
    table: 'users',
    mode: 'plan',
    keepCopy: true,
  });
  const result = (await handle.result()) as RowsResult;
  expect(result).toMatchObject({ outcome: 'planned', plan: { tables: [{ missing: 1, same: 1 }] } });
  expect((await stat(result.plan.keysFile)).mode & 0o777).toBe(0o600);
  expect(await readFile(result.plan.keysFile, 'utf8')).toContain('"key":{"id":"1"}');
  using copy = new DatabaseSync(result.copy ?? '', { readOnly: true });
  expect(copy.prepare('SELECT secret FROM users WHERE id = 1').get()).toEqual({ secret: 'hunter2' });
  expect(JSON.stringify(await handle.fetchHistory())).not.toContain('hunter2');
});

test('the worker is killed while it waits to write: the next one does it once', async () => {
  const locker = new DatabaseSync(site.data('wallets.db'), { timeout: 60_000 });
  const waiting = await previewedRows(site, { component: 'wallets', table: 'users' });
  locker.exec('BEGIN IMMEDIATE');
  const result = await killedBeforeWriting(site, waiting, () => {
    locker.exec('COMMIT');
    locker.close();
  });
  expect(result).toMatchObject({ outcome: 'restored', added: 1 });
  expect(live((database) => database.prepare('SELECT * FROM users ORDER BY id').all())).toEqual([
    { id: 1, secret: 'hunter2' },
    { id: 2, secret: 'correct horse' },
  ]);
});

test('the rows were put back by somebody else while a person read: the approval is refused', async () => {
  live((database) => {
    database.exec('DELETE FROM users');
  });
  const handle = await site.start('restoreRows', { component: 'wallets', table: 'users' });
  await waitingFor(handle, 'approval');
  const plan = await handle.query<RowsPlan>('plan');
  live((database) => {
    database.exec(`INSERT INTO users VALUES (2, 'new')`);
  });
  await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
  expect((await failureOf(handle.result())).type).toBe('PlanChanged');
  expect(live((database) => database.prepare('SELECT * FROM users').all())).toEqual([{ id: 2, secret: 'new' }]);
});
