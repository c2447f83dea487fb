/** The rights that `holdfast grants` prints, given to real roles: enough to capture with, and less is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { grantsOf, grantsScript } from '../../src/postgres/grants.ts';
import { postgresKind } from '../../src/sources/kinds/postgres.ts';
import type { PostgresComponent } from '../../src/system/types.ts';
import { contextIn } from '../sources/kinds-helpers.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { bytesOf, capture, dumpComponent, serverConfig } from './dump-helpers.ts';

const KEEPER = 'Kee"per';
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

describe('a server with roles of its own', () => {
  let server: PostgresServer;

  const component = (user: string, changes: Parameters<typeof dumpComponent>[1] = {}) =>
    dumpComponent(serverConfig(server, { backup: { user } }), { databases: ['app'], ...changes });
  /** For a purpose, everything that is always needed, and what is only needed for `reasons`. */
  const grant = async (given: PostgresComponent, reasons = /^$/, wanted = 'backup'): Promise<void> => {
    for (const { grants, purpose } of grantsOf(given)) {
      if (purpose !== wanted) continue;
      for (const { sql, onlyIf, database = 'postgres' } of grants) {
        if (onlyIf === undefined || reasons.test(onlyIf)) await server.sql(sql, { database });
      }
    }
  };
  const failureOf = (given: ReturnType<typeof component>): Promise<unknown> =>
    capture(given).catch((error: unknown) => error);

  beforeAll(async () => {
    server = await startPostgres();
    await server.sql(`CREATE ROLE app_owner`);
    await server.sql(`CREATE DATABASE app OWNER app_owner`);
    await server.sql(
      `SET ROLE app_owner; CREATE SCHEMA private; CREATE TABLE private.accounts (id serial PRIMARY KEY, name text);
       INSERT INTO private.accounts (name) SELECT 'n' || i FROM generate_series(1, 100) i;
       CREATE TABLE private.other (a int);`,
      { database: 'app' },
    );
  });
  afterAll(async () => {
    await server.dispose();
  });

  it('[T1] the rights for a dump are enough; without them it is refused with where to find them', async () => {
    await server.sql('CREATE ROLE nobody LOGIN');
    expect(await failureOf(component('nobody'))).toMatchObject({
      code: 'PostgresDenied',
      message: expect.stringMatching(/permission denied for (?:schema|table)/) as string,
      hint: expect.stringContaining('holdfast grants') as string,
    });
    await grant(component(KEEPER));
    await server.sql(`ALTER ROLE app_owner PASSWORD 'secret of the owner'`);
    const { dump, warnings, artifacts } = await capture(component(KEEPER));
    expect(dump.databases[0]?.tables).toMatchObject([{ name: 'accounts', rows: 100 }, { name: 'other' }]);
    expect(warnings).toEqual([]);
    expect((await bytesOf(artifacts, 'globals.sql')).toString()).toMatch(/app_owner.*SCRAM-SHA-256/);
    const report = await postgresKind.checkCaptured?.(component(KEEPER), artifacts, contextIn('/nowhere'));
    expect(report?.ok).toBe(true);
    const rights = await server.sql(
      `SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = '${KEEPER}'`,
    );
    expect(rights).toEqual([
      { rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolreplication: false, rolbypassrls: false },
    ]);
  });

  it('a role that may read tables and no passwords: roles are captured without them, and it is said', async () => {
    await server.sql('CREATE ROLE second LOGIN');
    await server.sql(
      'GRANT USAGE ON SCHEMA private TO second; GRANT SELECT ON ALL TABLES IN SCHEMA private TO second; GRANT SELECT ON ALL SEQUENCES IN SCHEMA private TO second',
      { database: 'app' },
    );
    const { warnings, artifacts, dump } = await capture(component('second'));
    expect(dump.rolePasswords).toBe(false);
    expect(warnings.join()).toContain('second may not read pg_authid');
    const globals = (await bytesOf(artifacts, 'globals.sql')).toString();
    expect(globals).toContain('CREATE ROLE app_owner');
    expect(globals).not.toContain('SCRAM');
  });

  it('large objects and row level security need their lines, and say so', async () => {
    await server.sql('CREATE DATABASE special');
    await server.sql(`SELECT lo_from_bytea(0, 'abc'); CREATE TABLE t AS SELECT 1 AS a`, { database: 'special' });
    const third = component('third', { databases: ['special'] });
    await grant(third);
    expect(await failureOf(third)).toMatchObject({
      code: 'PostgresDenied',
      message: expect.stringContaining('large object') as string,
    });
    await server.sql(`ALTER ROLE third SET lo_compat_privileges = on`);
    expect((await capture(third)).dump.databases[0]?.largeObjects).toBe(1);
    await server.sql(`ALTER TABLE t ENABLE ROW LEVEL SECURITY`, { database: 'special' });
    expect(await failureOf(third)).toMatchObject({
      code: 'PostgresDenied',
      message: expect.stringContaining('row-level security') as string,
    });
    await server.sql(`ALTER ROLE third BYPASSRLS`);
    expect((await capture(third)).dump.databases[0]?.tables[0]?.rows).toBe(1);
  });

  it('[W1] for chosen tables, nothing but those may be read', async () => {
    const narrow = component('narrow', { tables: ['private.accounts'] });
    await grant(narrow, /sequences/);
    const { dump } = await capture(narrow);
    expect(dump.databases[0]?.tables).toMatchObject([{ schema: 'private', name: 'accounts', rows: 100 }]);
    await expect(server.sql('SELECT * FROM private.other', { user: 'narrow', database: 'app' })).rejects.toThrow(
      'denied',
    );
  });

  it('[T1] the rights for a base backup are enough for the server’s own tool', async () => {
    const { name, kind, tier, host, after, server: on, checks, usedBy } = component('streamer');
    const base: PostgresComponent = { name, kind, tier, host, after, server: on, checks, usedBy, method: 'base' };
    await server.sql('CREATE ROLE bare LOGIN');
    const args = ['-D', '-', '-Ft', '-X', 'none', '--checkpoint=fast', '--no-manifest'];
    await expect(server.tool('pg_basebackup', args, { user: 'bare' })).rejects.toThrow(/permission denied|must be/);
    await grant(base);
    expect((await server.tool('pg_basebackup', args, { user: 'streamer' })).length).toBeGreaterThan(1_000_000);
    expect(await server.value('SHOW archive_command', { user: 'streamer' })).toBeDefined();
  });

  it('the role that restores can make a database, fill it as its owner and put it in place', async () => {
    const given = dumpComponent(serverConfig(server, { backup: { user: KEEPER }, restore: { user: 'mender' } }));
    await grant(given, /^$/, 'restore');
    const as = { user: 'mender' };
    await server.sql('CREATE DATABASE beside', as);
    await server.sql('ALTER DATABASE beside OWNER TO app_owner', as);
    await server.sql('CREATE TABLE t (a int); ALTER TABLE t OWNER TO app_owner; INSERT INTO t VALUES (1)', {
      ...as,
      database: 'beside',
    });
    await server.sql('ALTER DATABASE app RENAME TO aside', as);
    await server.sql('ALTER DATABASE beside RENAME TO app', as);
    expect(await server.value('SELECT rolsuper FROM pg_roles WHERE rolname = current_user', as)).toBe(false);
  });

  it('the script runs in psql as it is, whatever the names, and may be run again', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-grants-'));
    try {
      const file = path.join(directory, 'grants.sql');
      const odd = dumpComponent(serverConfig(server, { backup: { user: `o'dd "one"` }, restore: { user: 'back $1' } }));
      await writeFile(file, grantsScript(odd));
      for (let run = 0; run < 2; run += 1) await server.tool('psql', ['-X', '-v', 'ON_ERROR_STOP=1', '-f', file]);
      expect(await server.value(`SELECT count(*)::int FROM pg_roles WHERE rolname IN ('o''dd "one"', 'back $1')`)).toBe(
        2,
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('the command prints it for a component of a system file, and knows which there are', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-grants-'));
    try {
      const file = path.join(directory, 'shop.yaml');
      await writeFile(file, SYSTEM);
      const cli = path.resolve(import.meta.dirname, '../../src/cli.ts');
      const run = (...args: string[]) => promisify(execFile)(process.execPath, [cli, ...args]);
      const { stdout } = await run('grants', file, 'database');
      expect(stdout).toContain(`CREATE ROLE ${quoted('keeper')} LOGIN;`);
      expect(stdout).toContain(`-- ALTER ROLE ${quoted('keeper')} BYPASSRLS`);
      expect(JSON.parse((await run('grants', file, 'database', '--json')).stdout)).toMatchObject({
        roles: [
          { purpose: 'backup', role: 'keeper' },
          { purpose: 'restore', role: 'keeper' },
        ],
      });
      await expect(run('grants', file, 'nothing')).rejects.toMatchObject({
        stderr: expect.stringContaining('it has database') as string,
      });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

const SYSTEM = `system: shop
site: home
hosts: [alpha]
stores:
  disk: { kind: directory, path: /nowhere/store }
keys:
  recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p, age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg]
  chunkIdKey: { env: A }
  signer: { env: B }
  rootFingerprint: SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
components:
  database:
    kind: postgres
    server: { backup: { user: keeper } }
plans:
  daily: { components: [database], stores: [disk], keep: { last: 3 } }
`;
