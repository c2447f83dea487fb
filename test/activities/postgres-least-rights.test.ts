/** A database from backup to restore on real workers, by roles that may do no more than `holdfast grants` says. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupResult, RestorePlan, RestoreResult, VerifyResult } from '../../src/workflows/contract.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { failureOf, waitingFor } from '../workflows/play.ts';
import { makeSite, type Site } from './site.ts';

const PASSWORD = `o:dd\\ "pass' w$rd%`;

let server: PostgresServer;
let site: Site;
let secretFile: string;

beforeAll(async () => {
  server = await startPostgres({ passwords: true });
  await server.sql('CREATE ROLE app_owner');
  await server.sql('CREATE DATABASE app OWNER app_owner');
  await server.sql(
    `SET ROLE app_owner; CREATE TABLE accounts (id serial PRIMARY KEY, name text, filler text);
     INSERT INTO accounts (name, filler) SELECT 'n' || i, repeat(md5(i::text), 8) FROM generate_series(1, 100000) i`,
    { database: 'app' },
  );
  await server.sql('CREATE DATABASE second OWNER app_owner');
  await server.sql('SET ROLE app_owner; CREATE TABLE notes AS SELECT i FROM generate_series(1, 1000) i', {
    database: 'second',
  });
  site = await makeSite((data) => {
    secretFile = data('secret');
    const login = (user: string): string => `{ user: ${user}, password: { file: ${secretFile} } }`;
    return [
      'components:',
      '  database:',
      '    kind: postgres',
      '    server:',
      `      port: ${server.port}`,
      `      backup: ${login('keeper')}`,
      `      restore: ${login('mender')}`,
      '    databases: [app, second]',
      '    checks: { requiredTables: [accounts], minimumRows: { accounts: 100 } }',
      'plans:',
      '  daily:',
      '    components: [database]',
      '    stores: [disk]',
      '    keep: { last: 5 }',
    ].join('\n');
  });
  await writeFile(secretFile, PASSWORD, { mode: 0o600 });
  const script = path.join(server.base, 'grants.sql');
  await writeFile(script, await site.holdfast('grants', site.system, 'database'));
  await server.tool('psql', ['-X', '-v', 'ON_ERROR_STOP=1', '-f', script]);
  for (const role of ['keeper', 'mender']) {
    await server.sql(`ALTER ROLE ${role} PASSWORD '${PASSWORD.replaceAll("'", "''")}'`);
  }
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await server.dispose();
});

const sum = (): Promise<unknown> =>
  server.value(`SELECT count(*) || ' ' || sum(hashtext(name)::bigint) FROM accounts`, { database: 'app' });

describe('a database of a system', () => {
  test('[T1] [G2] backed up, hardly anything stored the second time, read back whole, restored after a disaster', async () => {
    const before = await sum();
    const first = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(first).toMatchObject({ outcome: 'done', verified: { ok: true } });
    await server.sql(`UPDATE accounts SET name = 'changed' WHERE id = 7`, { database: 'app' });
    const changed = await sum();
    const second = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(second).toMatchObject({ outcome: 'done', verified: { ok: true } });
    expect(second.storedBytes).toBeLessThan((first.storedBytes ?? 0) / 2);
    expect(await site.run<VerifyResult>('verify', { level: 'content' })).toMatchObject({ ok: true, bad: [] });

    await server.sql('DROP TABLE accounts', { database: 'app' });
    await server.sql('TRUNCATE notes', { database: 'second' });
    const handle = await site.start('restore', {});
    await waitingFor(handle, 'approval');
    const plan = await handle.query<RestorePlan>('plan');
    await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    const result = (await handle.result()) as RestoreResult;
    expect(result.outcome).toBe('restored');
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(await sum()).toBe(changed);
    expect(changed).not.toBe(before);
    expect(await server.value('SELECT count(*)::int FROM notes', { database: 'second' })).toBe(1000);
    expect(
      await server.value(`SELECT tableowner FROM pg_tables WHERE tablename = 'accounts'`, { database: 'app' }),
    ).toBe('app_owner');
  });

  test('a password of odd characters is in no history, no log, no file of the state and no object of the vault', async () => {
    const needle = Buffer.from(PASSWORD);
    // As JSON writes it, too.
    const escaped = Buffer.from(JSON.stringify(PASSWORD).slice(1, -1));
    const bad: string[] = [];
    let files = 0;
    for (const name of await readdir(site.directory, { recursive: true, withFileTypes: true })) {
      const file = path.join(name.parentPath, name.name);
      if (!name.isFile() || file === secretFile) continue;
      files += 1;
      const bytes = await readFile(file);
      if (bytes.includes(needle) || bytes.includes(escaped)) bad.push(file);
    }
    expect(files).toBeGreaterThan(10);
    let events = 0;
    for await (const run of site.env.client.workflow.list()) {
      const handle = site.env.client.workflow.getHandle(run.workflowId, run.runId);
      const history = await handle.fetchHistory();
      events += history.events?.length ?? 0;
      if (textsIn(history).some((text) => text.includes(PASSWORD) || text.includes(escaped.toString()))) {
        bad.push(`history of ${run.workflowId}`);
      }
    }
    expect(events).toBeGreaterThan(10);
    expect(bad).toEqual([]);
    expect(textsIn({ like: [new Uint8Array(Buffer.from(`"${PASSWORD}"`))] }).join()).toContain(PASSWORD);
  });

  test('a password that the server no longer takes: the backup ends at once, and says which role', async () => {
    await server.sql(`ALTER ROLE keeper PASSWORD 'another one'`);
    const failure = await failureOf(site.run('backup', { plan: 'daily' }));
    expect(failure.type).toBe('PostgresDenied');
    expect(failure.message).toContain('connect as keeper');
    expect(failure.message).not.toContain(PASSWORD);
  });
});

/** Every text and every payload of a history. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
