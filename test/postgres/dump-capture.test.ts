/** Dumps of real servers: what is in them is what was counted, and what is no backup is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgres, withPostgres } from '../../src/postgres/open.ts';
import type { PostgresAccess } from '../../src/postgres/types.ts';
import { captureDatabase } from '../../src/sources/kinds/postgres-dump-capture.ts';
import { measureTable } from '../../src/postgres/tables.ts';
import { postgresKind } from '../../src/sources/kinds/postgres.ts';
import { readerOf } from '../sources/materialise.ts';
import { contextIn, MemorySink } from '../sources/kinds-helpers.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { bytesOf, capture, dumpComponent, putBack, serverConfig, signal } from './dump-helpers.ts';
import type { Taken } from './dump-helpers.ts';

const context = contextIn('/nowhere');
/** Its list of contents, and not the rows. */
const KEPT_BYTES = 100_000;

function bound(of: PostgresAccess, key: string | symbol): unknown {
  const value: unknown = Reflect.get(of, key);
  return typeof value === 'function' ? (value.bind(of) as unknown) : value;
}
const ODD = 'Ünï "q" d\'b=x';

describe('a server with databases of all kinds', () => {
  let server: PostgresServer;
  let taken: Taken;

  const component = (changes: Parameters<typeof dumpComponent>[1] = {}) => dumpComponent(serverConfig(server), changes);
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

  beforeAll(async () => {
    server = await startPostgres();
    await server.sql(`CREATE ROLE "Owner One"`);
    await server.sql(`CREATE DATABASE app OWNER "Owner One"`);
    await server.sql(`CREATE DATABASE ${quoted(ODD)}`);
    await server.sql(`CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
    await server.sql(`CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`);
    await server.sql(
      `CREATE DATABASE german LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C' ENCODING 'UTF8' TEMPLATE template0`,
    );
    await server.sql(
      `CREATE EXTENSION pg_trgm;
       CREATE TABLE public.users (id int PRIMARY KEY, name text, spent money, at timestamptz, f float8, b bytea);
       INSERT INTO users SELECT i, 'user ' || i, i * 1.5, '2026-01-01'::timestamptz + i * '1 minute'::interval, i / 3.0,
         decode(md5(i::text), 'hex') FROM generate_series(1, 5000) i;
       CREATE SCHEMA "Sch ema"; CREATE TABLE "Sch ema"."Ta""ble.x" (t text); INSERT INTO "Sch ema"."Ta""ble.x" VALUES ('a'), ('a');
       CREATE TABLE parted (k int, v text) PARTITION BY LIST (k);
       CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1); CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
       INSERT INTO parted VALUES (1, 'one'), (2, 'two'), (2, 'three');
       CREATE TABLE empty (); CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS a;
       SELECT lo_from_bytea(0, decode(repeat('ab', 100000), 'hex')) FROM generate_series(1, 3);
       ALTER TABLE users OWNER TO "Owner One"`,
      { database: 'app' },
    );
    await server.sql(`CREATE TABLE "tä bl" (t text); INSERT INTO "tä bl" VALUES ('grün')`, { database: ODD });
    await server.sql(`CREATE TABLE "tä" (t text); INSERT INTO "tä" VALUES ('grün'), ('é')`, { database: 'latin' });
    await server.sql(`CREATE TABLE raw (t text); INSERT INTO raw VALUES (E'\\xff\\xfe'), ('ok')`, {
      database: 'bytes',
    });
    await server.sql(`CREATE TABLE worte (t text); INSERT INTO worte VALUES ('Äpfel'), ('Apfel')`, {
      database: 'german',
    });
    taken = await capture(component());
  });
  afterAll(async () => {
    await server.dispose();
  });

  it('[G2] every database is dumped, and told with owner, encoding, locale, extensions and contents', () => {
    const { databases, server: told } = taken.dump;
    expect(databases.map(({ name }) => name)).toEqual(['app', 'bytes', 'german', 'latin', 'postgres', ODD].sort());
    expect(told.version).toMatch(/^15\./);
    const [app] = databases;
    expect(app).toMatchObject({ owner: 'Owner One', encoding: 'UTF8', largeObjects: 3, localeProvider: 'libc' });
    expect(app?.owners).toEqual(['Owner One', 'postgres']);
    expect(app?.extensions.map(({ name }) => name)).toEqual(['pg_trgm', 'plpgsql']);
    expect(app?.tables.map(({ schema, name, rows }) => [schema, name, rows])).toEqual([
      ['Sch ema', 'Ta"ble.x', 2],
      ['public', 'empty', 0],
      ['public', 'fleeting', 1],
      ['public', 'parted', undefined],
      ['public', 'parted_1', 1],
      ['public', 'parted_2', 2],
      ['public', 'users', 5000],
    ]);
    const by = (name: string) => databases.find((database) => database.name === name);
    expect(by('latin')).toMatchObject({ encoding: 'LATIN1', tables: [{ name: 'tä', rows: 2 }] });
    expect(by('bytes')).toMatchObject({ encoding: 'SQL_ASCII', tables: [{ name: 'raw', rows: 2 }] });
    expect(by('german')).toMatchObject({ localeProvider: 'icu', icuLocale: expect.stringMatching(/^de/) as string });
    expect(by(ODD)).toMatchObject({ tables: [{ schema: 'public', name: 'tä bl', rows: 1 }] });
  });

  it('[G2] what was captured is read to its end and compared, and passes', async () => {
    const report = await postgresKind.checkCaptured?.(component(), taken.artifacts, context);
    expect(report?.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(report?.checks).toHaveLength(12);
  });

  it('put back by pg_restore alone, every table has the rows and checksums that the capture counted', async () => {
    for (const database of taken.dump.databases.filter(({ tables }) => tables.length > 0)) {
      await server.sql(`DROP DATABASE IF EXISTS back`);
      await server.sql(`CREATE DATABASE back ENCODING '${database.encoding}' LOCALE 'C' TEMPLATE template0`);
      await putBack(server, taken.artifacts, database.artifact, 'back');
      const access = await openPostgres(serverConfig(server), 'restore', { docker: context.docker });
      const found = await access.withClient({ database: 'back', signal }, async (client) => {
        const rows = [];
        for (const { schema, name, rows: expected } of database.tables) {
          const measured = expected === undefined ? {} : await measureTable(client, { schema, name }, true);
          rows.push({ schema, name, ...measured });
        }
        return rows;
      });
      expect(found).toEqual(database.tables);
      await server.sql(`DROP DATABASE back`);
    }
  });

  it('the globals hold the roles with their passwords', async () => {
    const globals = (await bytesOf(taken.artifacts, 'globals.sql')).toString();
    expect(globals).toContain('CREATE ROLE "Owner One"');
    expect(globals).toMatch(/ALTER ROLE postgres .*PASSWORD 'SCRAM/);
    expect(taken.warnings).toEqual([]);
  });

  it('a dump that was cut short or lacks a table is found by reading it back', async () => {
    const name = 'db-app.dump';
    const bytes = await bytesOf(taken.artifacts, name);
    const others = taken.artifacts.filter((each) => each.name !== name);
    const torn = readerOf(name, 'application/octet-stream', bytes.subarray(0, bytes.length - 100_000));
    const report = await postgresKind.checkCaptured?.(component(), [...others, torn], context);
    expect(report?.ok).toBe(false);
    expect(report?.checks.filter(({ ok }) => !ok).map((check) => check.name)).toEqual(['read app']);

    const other = readerOf(name, 'application/octet-stream', await bytesOf(taken.artifacts, 'db-latin.dump'));
    const wrong = await postgresKind.checkCaptured?.(component(), [...others, other], context);
    expect(wrong?.checks.find(({ ok }) => !ok)?.detail).toMatch(/^the dump lacks 7 tables: Sch ema/);
  });

  it('a dump that loses its end between pg_dump and the vault: refused by the capture itself, but not when it is only to be safe', async () => {
    await withPostgres(serverConfig(server), 'backup', context, async (access) => {
      const run: PostgresAccess['run'] = async (tool, args, options) => {
        const { stdout, done } = await access.run(tool, args, options);
        async function* cut(): AsyncGenerator<Uint8Array> {
          let given = 0;
          for await (const bytes of stdout) {
            const kept = bytes.subarray(0, Math.max(0, KEPT_BYTES - given));
            // Before it is handed over: what was taken is freed, and has no length any more.
            given += bytes.length;
            yield kept;
          }
        }
        return { stdout: tool === 'pg_dump' ? cut() : stdout, done };
      };
      const lying = new Proxy(access, { get: (of, key) => (key === 'run' ? run : bound(of, key)) });
      const work = { component: component(), access: lying, database: 'app', sink: new MemorySink() };
      await expect(captureDatabase({ ...work, context })).rejects.toMatchObject({
        code: 'SourceCorrupt',
        message: expect.stringMatching(/read app: pg_restore/) as string,
      });
      const safe = await captureDatabase({ ...work, context: { ...context, raw: true } });
      expect(safe.dumpBytes).toBeGreaterThan(0);
    });
  });

  it('[W1] only the tables that were chosen, partitions with their table, and no globals', async () => {
    const chosen = component({ databases: ['app'], tables: ['users', '"Sch ema"."Ta""ble.x"', 'parted'] });
    const { dump, artifacts, facts } = await capture(chosen);
    expect(dump.databases[0]?.tables.map(({ name }) => name)).toEqual([
      'Ta"ble.x',
      'parted',
      'parted_1',
      'parted_2',
      'users',
    ]);
    expect(dump.databases[0]?.largeObjects).toBe(0);
    expect(artifacts.map(({ name }) => name)).toEqual(['db-app.dump', 'facts.json']);
    expect((await postgresKind.checkCaptured?.(chosen, artifacts, context))?.ok).toBe(true);
    expect(facts).toMatchObject({ databases: [{ name: 'app', tables: 5, rows: 5005 }] });
    const latin = component({ databases: ['latin'], tables: ['tä'] });
    const taken = await capture(latin);
    expect((await postgresKind.checkCaptured?.(latin, taken.artifacts, context))?.checks.every(({ ok }) => ok)).toBe(
      true,
    );
  });

  it.each([
    [
      'a table that is not there',
      { databases: ['app'], tables: ['wallets'] },
      'SourceMissing',
      /no table public\.wallets/,
    ],
    ['a database that is not there', { databases: ['app', 'nowhere'] }, 'SourceMissing', /no database nowhere/],
    ['no table in any database', { databases: ['postgres'] }, 'SourceEmpty', /no table in postgres/],
    [
      'a required table that is nowhere',
      { checks: { requiredTables: ['users', 'ledger.entries'], minimumRows: {}, assertions: [] } },
      'CheckFailed',
      /table ledger\.entries is in none/,
    ],
    [
      'fewer rows than there must be',
      { databases: ['app'], checks: { requiredTables: [], minimumRows: { parted: 4 }, assertions: [] } },
      'CheckFailed',
      /parted in app has 3 rows, and must have 4/,
    ],
  ])('[W1] %s: that is no backup', async (_what, changes, code, message) => {
    const failure: unknown = await capture(component(changes)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) as string, waitingHelps: false });
  });

  it('what restores made beside databases or kept of them is left out of all databases, and told', async () => {
    const made = ['app__before_0a1b2c3d', 'app__holdfast_0a1b2c3d', 'app__make_0a1b2c3d4e5f', 'app__rows_0a1b2c3d4e5f'];
    for (const name of made) await server.sql(`CREATE DATABASE ${name}`);
    await server.sql(`UPDATE pg_database SET datcollversion = '1.0' WHERE datname = 'app'`);
    const { dump, warnings } = await capture(component({ tableChecksums: false }));
    expect(dump.databases.map(({ name }) => name)).toEqual(taken.dump.databases.map(({ name }) => name));
    expect(dump.databases[0]?.tables.at(-1)).toEqual({ schema: 'public', name: 'users' });
    expect(warnings).toEqual([
      expect.stringMatching(/^app was made with version 1\.0 of its collation, and the server has/) as string,
      `database: databases of restores are not captured: ${made.join(', ')}`,
    ]);
    for (const name of made) await server.sql(`DROP DATABASE ${name}`);
  });

  it('one of all databases that the role may not enter: none is left out silently', async () => {
    await server.sql(
      `CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; ALTER ROLE reader SET lo_compat_privileges = on; REVOKE CONNECT ON DATABASE latin FROM PUBLIC`,
    );
    const given = dumpComponent(serverConfig(server, { backup: { user: 'reader' } }));
    await expect(capture(given)).rejects.toMatchObject({
      code: 'PostgresDenied',
      message: expect.stringContaining('database latin') as string,
    });
  });

  it('inspect tells sizes, and what is not there', async () => {
    const state = await postgresKind.inspect(component({ databases: ['app', 'nowhere'] }), context);
    expect(state).toMatchObject({ exists: true, problems: ['there is no database nowhere'] });
    expect(state.sizeBytes).toBeGreaterThan(1_000_000);
    const away = dumpComponent(serverConfig(server, { address: '/nowhere' }));
    expect((await postgresKind.inspect(away, context)).problems[0]).toContain('ENOENT');
  });

  it('rows change all the time: the dump and its counts are of one moment', async () => {
    await server.sql(`CREATE DATABASE busy`);
    await server.sql(`CREATE TABLE t AS SELECT i, repeat('x', 200) AS v FROM generate_series(1, 50000) i`, {
      database: 'busy',
    });
    const writer = await server.client({ database: 'busy' });
    let stop = false;
    let changes = 0;
    const writing = (async () => {
      while (!stop) {
        await writer.query(
          `INSERT INTO t VALUES (0, 'new'); UPDATE t SET v = 'changed' WHERE i = ${(changes % 50_000) + 1}`,
        );
        changes += 1;
      }
    })();
    await expect.poll(() => changes, { timeout: 60_000 }).toBeGreaterThan(5);
    const { dump, artifacts } = await capture(component({ databases: ['busy'] }));
    const during = changes;
    stop = true;
    await writing;
    await writer.end();
    expect(during).toBeGreaterThan(5);
    await server.sql(`CREATE DATABASE busy_back`);
    await putBack(server, artifacts, 'db-busy.dump', 'busy_back');
    const access = await openPostgres(serverConfig(server), 'restore', { docker: context.docker });
    const table = { schema: 'public', name: 't' };
    const found = await access.withClient({ database: 'busy_back', signal }, (client) =>
      measureTable(client, table, true),
    );
    expect([{ ...table, ...found }]).toEqual(dump.databases[0]?.tables);
    await server.sql('DROP DATABASE busy');
  });
});
