import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import type { Up } from '../../sample/stack/holdfast.ts';
import type { ManifestBody } from '../../src/vault/types.ts';
import type { BackupResult, RestorePlan, RestoreResult, VerifyResult } from '../../src/workflows/contract.ts';
import { CONTAINER_PASSWORD, postgresCorner } from '../support/postgres-container.ts';
import type { PostgresContainer, PostgresCorner } from '../support/postgres-container.ts';

const SYSTEM = 'watan';
const LIMIT_MS = 180_000;
const SCHEMA = `CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE deposit (id bigserial PRIMARY KEY, user_id int NOT NULL REFERENCES users, amount numeric NOT NULL,
    at timestamptz DEFAULT now(), n int, column_name text);
  CREATE TABLE sessions (id int PRIMARY KEY, seen timestamptz DEFAULT now());
  INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 200) n;
  INSERT INTO deposit (user_id, amount) SELECT 1 + n % 200, n * 1.5 FROM generate_series(1, 5000) n;
  INSERT INTO sessions SELECT n FROM generate_series(1, 50) n`;
const STATE = `SELECT (SELECT count(*) FROM users) || ' ' || (SELECT count(*) FROM deposit) || ' ' ||
  (SELECT sum(amount) FROM deposit) || ' ' || (SELECT count(*) FROM sessions)`;

let corner: PostgresCorner;
let database: PostgresContainer;
let directory: string;
let holdfast: Holdfast;
let up: Up;

beforeAll(async () => {
  corner = await postgresCorner();
  const project = `watan${corner.id}`;
  database = await corner.postgres({ compose: { project, service: 'postgres' } });
  await database.sql('CREATE DATABASE watan');
  await database.sql(SCHEMA, SYSTEM);
  directory = await mkdtemp(join(tmpdir(), 'holdfast-watan-'));
  holdfast = new Holdfast(join(directory, 'home'));
  for (const each of [holdfast.home, join(directory, 'store')]) await mkdir(each);
  const password = join(directory, 'password');
  await writeFile(password, CONTAINER_PASSWORD, { mode: 0o600 });
  const server = { service: 'postgres', project, backup: { user: 'postgres', password: { file: password } } };
  const checks = { requiredTables: ['users', 'deposit'], minimumRows: { users: 100 } };
  const file = join(directory, 'watan.yaml');
  await writeFile(
    file,
    stringify({
      system: SYSTEM,
      stores: { local: { kind: 'directory', path: join(directory, 'store') } },
      components: {
        full: { kind: 'postgres', server, databases: [SYSTEM], checks },
        wallets: { kind: 'postgres', server, databases: [SYSTEM], tables: ['users', 'deposit'] },
      },
      plans: {
        full: { components: ['full'], stores: ['local'], keep: { last: 7 }, rpo: '26h' },
        wallets: { components: ['wallets'], stores: ['local'], keep: { last: 48 }, rpo: '90m' },
      },
    }),
  );
  const init = await holdfast.run('init', file);
  if (init.code !== 0) throw new Error(init.stderr);
  up = await holdfast.up('--no-ui', '--no-page', '--port', '0');
}, 2 * LIMIT_MS);

afterAll(async () => {
  await up.stop();
  await rm(directory, { recursive: true, force: true });
  await corner.cleanUp();
}, LIMIT_MS);

async function databases(): Promise<string[]> {
  return (await database.sql(`SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1`)).split('\n');
}

async function restoreApproved(...args: string[]): Promise<RestoreResult> {
  const asked = await holdfast.run('restore', SYSTEM, ...args, '--json');
  if (asked.code !== 2) throw new Error(`the restore did not ask: ${asked.stderr}${asked.stdout}`);
  const { plan } = JSON.parse(asked.stdout) as { plan: RestorePlan };
  return holdfast.ask<RestoreResult>('approve', SYSTEM, plan.digest, '--by', 'a test', '--watch');
}

test('[W1] both plans, by the service’s own tools: the full dump has every table, the wallets only theirs, both with their counts', async () => {
  for (const plan of ['full', 'wallets']) {
    const { outcome, backup = '' } = await holdfast.ask<BackupResult>('backup', SYSTEM, plan);
    expect(outcome).toBe('done');
    const { manifest } = await holdfast.ask<{ manifest: ManifestBody }>('show', SYSTEM, backup);
    const [component] = manifest.components;
    const expected = plan === 'full' ? { tables: 3, rows: 5250 } : { tables: 2, rows: 5200 };
    expect(component?.facts).toMatchObject({ databases: [{ name: SYSTEM, ...expected }] });
  }
});

test('[W1] nothing to dump: the run fails and there is no new backup', async () => {
  const count = async () => {
    const { backups } = await holdfast.ask<{ backups: { plan: string }[] }>('list', SYSTEM);
    return backups.filter(({ plan }) => plan === 'wallets').length;
  };
  const before = await count();
  await database.sql('ALTER TABLE users RENAME TO users_gone; ALTER TABLE deposit RENAME TO deposit_gone', SYSTEM);
  try {
    const { code } = await holdfast.run('backup', SYSTEM, 'wallets');
    expect(code).not.toBe(0);
  } finally {
    await database.sql('ALTER TABLE users_gone RENAME TO users; ALTER TABLE deposit_gone RENAME TO deposit', SYSTEM);
  }
  expect([before, await count()]).toEqual([1, 1]);
});

test('[W2] a backup is verified: present, and restored where nobody works, of which nothing is left', async () => {
  const before = await databases();
  const verified = await holdfast.ask<VerifyResult>('verify', SYSTEM);
  expect(verified).toMatchObject({ ok: true, bad: [] });
  const result = await holdfast.ask<RestoreResult>('restore', SYSTEM, '--plan', 'full', '--verify-only');
  expect(result.outcome).toBe('verified');
  expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(result.checks.length).toBeGreaterThan(0);
  expect(await databases()).toEqual(before);
});

test('[W4] the full restore: beside the live database, counts compared, swapped in by name while a writer holds a connection, the old one kept', async () => {
  const wanted = await database.sql(STATE, SYSTEM);
  await database.sql(`DELETE FROM deposit WHERE id % 2 = 0; UPDATE users SET name = 'garbled'`, SYSTEM);
  const damaged = await database.sql(STATE, SYSTEM);
  const writer = database.sql('SELECT pg_sleep(600)', SYSTEM).catch((error: unknown) => String(error));
  const result = await restoreApproved('--plan', 'full');
  expect(result.outcome).toBe('restored');
  expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(await writer).toMatch(/terminat|lost/);
  expect(await database.sql(STATE, SYSTEM)).toBe(wanted);
  expect(await database.sql(`SELECT count(*) FROM users WHERE name = 'garbled'`, SYSTEM)).toBe('0');
  const kept = (await databases()).find((name) => name.startsWith('watan__before_')) ?? '';
  expect(result.aside.join(' ')).toContain(kept);
  expect(await database.sql(STATE, kept)).toBe(damaged);
});

test('[W4] wallets alone: into a database of their own for inspection, nothing live is touched', async () => {
  const live = await database.sql(STATE, SYSTEM);
  const args = ['--plan', 'wallets', '--component', 'wallets', '--target', 'wallets_tmp'];
  const { outcome } = await holdfast.ask<RestoreResult>('restore', SYSTEM, ...args);
  expect(outcome).toBe('restored');
  expect(await database.sql('SELECT count(*), sum(amount) FROM deposit', 'wallets_tmp')).toBe('5000|18753750.0');
  expect(await database.sql(`SELECT to_regclass('sessions') IS NULL`, 'wallets_tmp')).toBe('t');
  expect(await database.sql(STATE, SYSTEM)).toBe(live);
});

test('[W4] rows put back: deposits of one user deleted by accident come back alone, what was written since stays', async () => {
  await database.sql('DELETE FROM deposit WHERE user_id = 7', SYSTEM);
  await database.sql(`UPDATE users SET name = 'renamed since' WHERE id = 8`, SYSTEM);
  const args = ['rows', SYSTEM, 'wallets', '--table', 'deposit', '--where', 'user_id = 7', '--plan', 'wallets'];
  const asked = await holdfast.run(...args, '--json');
  expect(asked.code, asked.stderr).toBe(2);
  const { plan } = JSON.parse(asked.stdout) as { plan: { digest: string } };
  await holdfast.ask('approve', SYSTEM, plan.digest, '--by', 'a test', '--watch');
  expect(await database.sql('SELECT count(*) FROM deposit WHERE user_id = 7', SYSTEM)).toBe('25');
  expect(await database.sql('SELECT name FROM users WHERE id = 8', SYSTEM)).toBe('renamed since');
});
