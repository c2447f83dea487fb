/** Databases on a host and in a Compose service: captured, broken, restored through the workflows on real workers. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { CONTAINER_PASSWORD, postgresCorner } from '../support/postgres-container.ts';
import type { PostgresContainer, PostgresCorner } from '../support/postgres-container.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { failureOf, waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, type Site } from './site.ts';

let site: Site;
let server: PostgresServer;
let corner: PostgresCorner;
let watan: PostgresContainer;
let bot: string;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 5 } });
  corner = await postgresCorner();
  watan = await corner.postgres({ compose: { project: `hf-${corner.id}`, service: 'db' } });
  bot = await corner.container({
    labels: { 'com.docker.compose.project': `hf-${corner.id}`, 'com.docker.compose.service': 'bot' },
  });
  site = await makeSite((data) => systemOf(data));
  await writeFile(site.data('password'), CONTAINER_PASSWORD, { mode: 0o600 });
  await server.sql('CREATE DATABASE shop');
  await server.sql(
    `CREATE TABLE audio_files (id int PRIMARY KEY, name text); INSERT INTO audio_files SELECT i, 'file ' || i FROM generate_series(1, 500) i`,
    { database: 'shop' },
  );
  await watan.sql('CREATE DATABASE watan');
  await watan.sql(
    `CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 300) i;
     CREATE TABLE deposit (id int PRIMARY KEY, "user" int REFERENCES users, amount numeric);
     INSERT INTO deposit SELECT i, i, i * 1.5 FROM generate_series(1, 200) i;
     CREATE TABLE posts (id int PRIMARY KEY, "user" int REFERENCES users); INSERT INTO posts VALUES (1, 1)`,
    'watan',
  );
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await corner.cleanUp();
  await server.dispose();
});

function systemOf(data: (name: string) => string): string {
  const inCompose = `{ service: db, project: hf-${corner.id}, backup: { user: postgres, password: { file: ${data('password')} } } }`;
  return [
    'components:',
    '  shop:',
    '    kind: postgres',
    `    server: { address: 127.0.0.1, port: ${server.port}, backup: { user: postgres } }`,
    '    databases: [shop]',
    '    checks:',
    '      requiredTables: [audio_files]',
    '      minimumRows: { audio_files: 100 }',
    "      assertions: [{ name: no negative ids, sql: 'SELECT count(*) = 0 FROM audio_files WHERE id < 0' }]",
    '  full:',
    '    kind: postgres',
    `    server: ${inCompose}`,
    '    databases: [watan]',
    // The server is among those that are stopped only by mistake.
    `    usedBy: [bot, ${watan.name}]`,
    '  wallets:',
    '    kind: postgres',
    `    server: ${inCompose}`,
    '    databases: [watan]',
    '    tables: [deposit]',
    'plans:',
    ...['shop', 'full', 'wallets'].flatMap((name) => [
      `  ${name}:`,
      `    components: [${name}]`,
      '    stores: [disk]',
      '    keep: { last: 5 }',
    ]),
  ].join('\n');
}

async function backup(plan: string): Promise<void> {
  const { outcome } = await site.run<BackupResult>('backup', { plan });
  expect(outcome).toBe('done');
}

async function planOf(input: object) {
  const handle = await site.start('restore', input);
  await waitingFor(handle, 'approval');
  return { handle, plan: await handle.query<RestorePlan>('plan') };
}

async function approved(input: object): Promise<RestoreResult> {
  const { handle, plan } = await planOf(input);
  await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
  return (await handle.result()) as RestoreResult;
}

const rows = async (table: string): Promise<number> =>
  Number(await server.value(`SELECT count(*) FROM ${table}`, { database: 'shop' }));

async function databases(): Promise<string[]> {
  const all = await server.sql("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'");
  return all.map((row) => String(row['datname'])).sort();
}

describe('a database of the host', () => {
  test('[T9] [G5] broken, restored and swapped in: the plan names the databases, the old one is kept', async () => {
    await backup('shop');
    await server.sql('DELETE FROM audio_files WHERE id > 10', { database: 'shop' });
    const { handle, plan } = await planOf({ plan: 'shop' });
    expect(plan.actions.map(({ action, on }) => [action, ...on])).toEqual([
      ['restore', 'database shop as shop__holdfast_…'],
      ['swap', 'database shop, the old one kept as shop__before_…'],
    ]);
    await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    const result = (await handle.result()) as RestoreResult;
    expect(result).toMatchObject({ outcome: 'restored' });
    expect(result.warnings ?? []).toEqual([]);
    expect(result.safetyBackup).toBeDefined();
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(result.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['shop: rows', 'shop: contents', 'table public.audio_files', 'no negative ids']),
    );
    expect(await rows('audio_files')).toBe(500);
    const [aside = ''] = result.aside;
    expect(aside).toMatch(/^database shop__before_/);
    expect(await databases()).toEqual(['shop', aside.replace('database ', '')]);
  });

  test('[W2] only verified: checked, and neither the server nor the disk has anything of it', async () => {
    const state = join(site.directory, 'home/state', site.system);
    const seen = async () => ({ databases: await databases(), records: await readdir(join(state, 'restores')) });
    const before = await seen();
    const result = await site.run<RestoreResult>('restore', { plan: 'shop', mode: 'verify' });
    expect(result).toMatchObject({ outcome: 'verified' });
    expect(result.checks.find(({ name }) => name === 'shop: rows')).toMatchObject({ ok: true });
    expect(result.checks.find(({ name }) => name === 'otherwise than captured')).toBeUndefined();
    expect(await seen()).toEqual(before);
    expect(await readdir(join(state, 'scratch-servers'))).toEqual([]);
  });

  test('the worker is killed between shutting the database and renaming it: the next one finishes the swap', async () => {
    await server.sql('DELETE FROM audio_files WHERE id > 20', { database: 'shop' });
    // What is prepared and not committed keeps a database from being renamed, and survives every session's end.
    const client = await server.client({ database: 'shop' });
    client.on('error', () => undefined);
    await client.query("BEGIN; INSERT INTO audio_files VALUES (9999, 'in doubt'); PREPARE TRANSACTION 'held'");
    const { handle, plan } = await planOf({ plan: 'shop' });
    await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    await eventually('the database is shut', async () =>
      (await server.value("SELECT datallowconn FROM pg_database WHERE datname = 'shop'")) === false ? true : undefined,
    );
    const [, host] = site.workers();
    if (host === undefined) throw new Error('there is no host worker');
    await site.kill(host);
    await rollBack(client);
    await site.startWorker('host');
    await site.giveBack(host, handle);
    const result = (await handle.result()) as RestoreResult;
    expect(result).toMatchObject({ outcome: 'restored' });
    expect(await rows('audio_files')).toBe(500);
    expect(await server.value("SELECT datallowconn FROM pg_database WHERE datname = 'shop'")).toBe(true);
  });

  async function rollBack(client: pg.Client): Promise<void> {
    await client.end().catch(() => undefined);
    // Only from its own database, which is shut: it is opened for that, as an operator would.
    await server.sql('ALTER DATABASE shop ALLOW_CONNECTIONS true');
    await server.sql("ROLLBACK PREPARED 'held'", { database: 'shop' });
    await server.sql('ALTER DATABASE shop ALLOW_CONNECTIONS false');
  }
});

describe('a database of a Compose service', () => {
  test("[W1] [W4] restored with the container's own tools while its server stays up: only the writer is stopped", async () => {
    await backup('full');
    await watan.sql('DELETE FROM posts; DELETE FROM deposit WHERE id > 5', 'watan');
    const before = await Promise.all([watan.id, bot].map(startedAt));
    const { plan } = await planOfRejected({ plan: 'full' });
    const botName = (await corner.docker.inspect(bot))?.name;
    expect(plan.actions.map(({ action, on }) => [action, ...on])).toEqual([
      ['restore', 'database watan as watan__holdfast_…'],
      ['stop', botName],
      ['swap', 'database watan, the old one kept as watan__before_…'],
      ['start', botName],
    ]);
    const result = await approved({ plan: 'full' });
    expect(result).toMatchObject({ outcome: 'restored' });
    expect(await watan.sql('SELECT (SELECT count(*) FROM deposit), (SELECT count(*) FROM posts)', 'watan')).toBe(
      '200|1',
    );
    const after = await Promise.all([watan.id, bot].map(startedAt));
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect(await corner.state(bot)).toBe('running');
  });

  test('[W2] verified where no scratch server can be had: in a database of its own, which is gone afterwards', async () => {
    const before = await watan.sql('SELECT datname FROM pg_database ORDER BY 1');
    const result = await site.run<RestoreResult>('restore', { plan: 'full', mode: 'verify' });
    expect(result).toMatchObject({ outcome: 'verified' });
    expect(result.checks.find(({ name }) => name === 'otherwise than captured')?.detail).toContain('in a container');
    expect(await watan.sql('SELECT datname FROM pg_database ORDER BY 1')).toBe(before);
  });

  test('[W4] the wallets alone never replace the database; they go into one of their own to be looked at', async () => {
    await backup('wallets');
    const refused = await site.start('restore', { plan: 'wallets' });
    const failure = await failureOf(refused.result());
    expect(failure).toMatchObject({ type: 'BadInput' });
    expect(failure.message).toContain('holds only deposit');
    const result = await site.run<RestoreResult>('restore', { plan: 'wallets', target: 'wallets_look' });
    expect(result).toMatchObject({ outcome: 'restored' });
    expect(result.checks.find(({ name }) => name === 'otherwise than captured')?.detail).toContain('need other tables');
    expect(await watan.sql('SELECT count(*), sum(amount) FROM deposit', 'wallets_look')).toBe('200|30150.0');
    expect(await watan.sql('SELECT count(*) FROM users', 'watan')).toBe('300');
  });

  async function planOfRejected(input: object): Promise<{ plan: RestorePlan }> {
    const { handle, plan } = await planOf(input);
    await handle.executeUpdate('reject', { args: [{ by: 'ann', why: 'only looking' }] });
    expect(await handle.result()).toMatchObject({ outcome: 'rejected' });
    return { plan };
  }

  async function startedAt(id: string): Promise<string> {
    return (await corner.docker.inspect(id))?.startedAt ?? '';
  }
});

test('no password is in anything that was written', async () => {
  const files = await readdir(site.directory, { recursive: true, withFileTypes: true });
  const texts = files.filter((file) => file.isFile() && /\.(json|log|txt|yaml)$/.test(file.name));
  for (const file of texts) {
    // The workers still run: what they have removed meanwhile holds nothing.
    const text = await readFile(join(file.parentPath, file.name), 'utf8').catch(() => '');
    expect(text).not.toContain(CONTAINER_PASSWORD);
  }
});
