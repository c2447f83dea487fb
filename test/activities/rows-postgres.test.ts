/** Rows put back by real workers and the real command line into a PostgreSQL database that is in use. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { RowsPlan, RowsResult } from '../../src/workflows/contract.ts';
import { startPostgres, type PostgresServer, type Row } from '../support/postgres.ts';
import { failureOf } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { jsonOf, killedBeforeWriting, previewedRows, type Said } from './rows-helpers.ts';
import { makeSite, type Site } from './site.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let site: Site;
let server: PostgresServer;
let writing = true;
let writer: Promise<void>;

const app = (text: string): Promise<Row[]> => server.sql(text, { database: 'app' });
const count = async (what: string): Promise<number> =>
  Number(await server.value(`SELECT count(*)::int FROM ${what}`, { database: 'app' }));

beforeAll(async () => {
  server = await startPostgres();
  await server.sql('CREATE DATABASE app');
  await app(`CREATE TABLE users (id serial PRIMARY KEY, secret text);
    CREATE TABLE deposits (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, amount numeric NOT NULL);
    INSERT INTO users (secret) SELECT 'hunter' || g FROM generate_series(1, 20) g;
    INSERT INTO deposits (user_id, amount) SELECT g % 20 + 1, g FROM generate_series(1, 200) g`);
  site = await makeSite(() =>
    [
      'components:',
      '  wallets:',
      '    kind: postgres',
      '    tier: critical',
      `    server: { address: 127.0.0.1, port: ${server.port}, backup: { user: postgres } }`,
      '    databases: [app]',
      '    tables: [users, deposits]',
      'plans:',
      '  hourly: { components: [wallets], stores: [disk] }',
    ].join('\n'),
  );
  await site.startWorkers();
  expect(await site.run('backup', { plan: 'hourly' })).toMatchObject({ outcome: 'done' });
  writer = write();
});

afterAll(async () => {
  writing = false;
  await writer;
  await site[Symbol.asyncDispose]();
  await server.dispose();
});

/** Somebody who goes on working in the same tables. */
async function write(): Promise<void> {
  const client = await server.client({ database: 'app' });
  while (writing) {
    await client.query('INSERT INTO deposits (user_id, amount) VALUES (20, 1)');
    await client.query('UPDATE deposits SET amount = amount + 1 WHERE user_id = 20');
    await sleep(5);
  }
  await client.end();
}

async function sides(): Promise<number> {
  return Number(await server.value(`SELECT count(*)::int FROM pg_database WHERE datname LIKE 'app\\_\\_rows\\_%'`));
}

const json = <T>(...args: string[]): Promise<T> => jsonOf<T>(site, ...args);

const WHERE = ['--table', 'users', '--where', 'id = 7', '--table', 'deposits', '--where', 'user_id = 7'];

test('a user deleted with his deposits: previewed, inspected, approved, back, while others go on [B8] [W4]', async () => {
  await app(
    'DELETE FROM deposits WHERE user_id = 7; DELETE FROM users WHERE id = 7; DELETE FROM deposits WHERE user_id = 8',
  );
  const look = await json<RowsResult>('rows', site.system, 'wallets', ...WHERE, '--dry-run', '--keep-copy');
  expect(look).toMatchObject({
    outcome: 'planned',
    plan: {
      tables: [
        { table: 'users', missing: 1 },
        { table: 'deposits', missing: 10, conflicts: [] },
      ],
    },
  });
  // The separate database is there to look at, with the live one untouched.
  expect(
    await server.value('SELECT count(*)::int FROM deposits WHERE user_id = 7', { database: look.copy ?? '' }),
  ).toBe(10);
  await server.sql(`DROP DATABASE "${look.copy ?? ''}" WITH (FORCE)`);
  expect(await count('users WHERE id = 7')).toBe(0);

  const waiting = await json<{ outcome: string; workflowId: string; plan: RowsPlan }>(
    'rows',
    site.system,
    'wallets',
    ...WHERE,
  );
  expect(waiting).toMatchObject({
    outcome: 'waiting',
    workflowId: `${site.system}/rows/wallets`,
    plan: { digest: look.plan.digest },
  });
  const status = await site.holdfast('status', site.system).catch((error: unknown) => (error as Said).stdout);
  expect(status).toContain(`holdfast approve ${site.system} ${look.plan.digest.slice(0, 12)}`);
  const wrong = await json<{ error: { code: string } }>('approve', site.system, '0123456789ab');
  expect(wrong.error.code).toBe('PlanChanged');
  const before = await count('deposits WHERE user_id = 20');
  const result = await json<RowsResult>(
    'approve',
    site.system,
    look.plan.digest.slice(0, 12),
    '--by',
    'ann',
    '--watch',
  );
  expect(result).toMatchObject({ outcome: 'restored', added: 11, replaced: 0 });
  expect(await app('SELECT count(*)::int AS n, sum(amount)::int AS sum FROM deposits WHERE user_id = 7')).toEqual([
    { n: 10, sum: 6 + 26 + 46 + 66 + 86 + 106 + 126 + 146 + 166 + 186 },
  ]);
  // Nobody asked for user 8, and nobody was held up.
  expect(await count('deposits WHERE user_id = 8')).toBe(0);
  await eventually('others go on', async () => (await count('deposits WHERE user_id = 20')) > before || undefined);
  expect(await sides()).toBe(0);
  const history = JSON.stringify(await site.env.client.workflow.getHandle(waiting.workflowId).fetchHistory());
  expect(history).not.toContain(Buffer.from('hunter').toString('base64').slice(0, 7));
  expect(history).not.toContain('hunter');
});

test('the worker is killed in the middle of writing: the next one does it once', async () => {
  await app('DELETE FROM deposits WHERE user_id = 9');
  const input = { component: 'wallets', table: 'deposits', where: 'user_id = 9' };
  const waiting = await previewedRows(site, input);
  const locker = await server.client({ database: 'app' });
  await locker.query('BEGIN; LOCK TABLE deposits IN SHARE MODE');
  const result = await killedBeforeWriting(site, waiting, async () => {
    await locker.query('COMMIT');
    await locker.end();
  });
  expect(result).toMatchObject({ outcome: 'restored', added: 10 });
  expect(await count('deposits WHERE user_id = 9')).toBe(10);
  expect(await sides()).toBe(0);
});

test('rejected, and a failure in the middle: no separate database stays', async () => {
  await app('DELETE FROM deposits WHERE user_id = 10');
  const input = { component: 'wallets', table: 'deposits', where: 'user_id = 10' };
  const { handle } = await previewedRows(site, input);
  expect(await sides()).toBe(1);
  await handle.executeUpdate('reject', { args: [{ by: 'ann', why: 'not these' }] });
  expect(await handle.result()).toMatchObject({ outcome: 'rejected' });
  expect(await sides()).toBe(0);
  expect((await failureOf(site.run('restoreRows', { ...input, where: 'nope = 1' }))).type).toBe('BadInput');
  expect((await failureOf(site.run('restoreRows', { ...input, database: 'other' }))).message).toContain('it has app');
  expect(await sides()).toBe(0);
  expect(await count('deposits WHERE user_id = 10')).toBe(0);
});

test('partial loss: each damaged or deleted row from the newest backup in which it is whole [B8]', async () => {
  await app(`UPDATE users SET secret = 'newer' WHERE id = 5; UPDATE users SET secret = '' WHERE id = 6`);
  expect(await site.run('backup', { plan: 'hourly' })).toMatchObject({ outcome: 'done' });
  await app(`UPDATE users SET secret = '' WHERE id IN (5, 6); UPDATE users SET secret = 'mine' WHERE id = 10;
    DELETE FROM deposits WHERE user_id = 9; DELETE FROM users WHERE id = 9`);
  const args = ['rows', site.system, 'wallets', '--table', 'users', '--where', 'id IN (5, 6, 9, 10)', '--backups', '2'];
  const how = [...args, '--valid', `secret <> ''`, '--on-changed', 'restore'];
  const { plan } = await json<RowsResult>(...how, '--dry-run');
  expect(plan.merged).toMatchObject([
    { table: 'users', invalid: 1, differs: 0 },
    { table: 'users', taken: 1, invalid: 0, differs: 1 },
  ]);
  const result = await json<RowsResult>(...how, '--approve', plan.digest);
  expect(result).toMatchObject({ outcome: 'restored', added: 1, replaced: 2 });
  const found = await app('SELECT secret FROM users WHERE id IN (5, 6, 9, 10) ORDER BY id');
  expect(found.map((row) => Object.values(row)[0])).toEqual(['newer', 'hunter6', 'hunter9', 'mine']);
  expect(await server.value(`SELECT count(*)::int FROM pg_database WHERE datname LIKE 'app\\_\\_%'`)).toBe(0);
  // What can't be told apart, or is no condition, is refused and leaves nothing.
  const refused = await json<{ error: { code: string } }>(...args, '--valid', 'secret <>', '--dry-run');
  expect(refused.error.code).toBe('BadInput');
  expect(await server.value(`SELECT count(*)::int FROM pg_database WHERE datname LIKE 'app\\_\\_%'`)).toBe(0);
});
