/** Dumps put back on real servers: beside, checked, swapped in by name, undone; and everything that has to be refused. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArtifactReader } from '../../src/part.ts';
import type { Beside, KindContext } from '../../src/sources/kinds/component.ts';
import { postgresKind as kind } from '../../src/sources/kinds/postgres.ts';
import type { PostgresDumpComponent } from '../../src/system/types.ts';
import { contextIn, EVERYTHING } from '../sources/kinds-helpers.ts';
import { readerOf } from '../sources/materialise.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { bytesOf, capture, dumpComponent, serverConfig, type Taken } from './dump-helpers.ts';

const ODD = `Ünï "q" d'b=x`;
let directory: string;
let context: KindContext;
let server: PostgresServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-dump-restore-'));
  context = contextIn(directory);
  server = await startPostgres();
});

afterAll(async () => {
  await server.dispose();
  await rm(directory, { recursive: true, force: true });
});

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function names(of = server): Promise<string[]> {
  const rows = await of.sql('SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1', {
    database: 'template1',
  });
  return rows.map((row) => String(row['datname']));
}

async function rowsIn(database: string, table: string): Promise<number> {
  return Number(await server.value(`SELECT count(*) FROM ${table}`, { database }));
}

function component(changes: Partial<PostgresDumpComponent> = {}): PostgresDumpComponent {
  return dumpComponent(serverConfig(server), { databases: ['shop'], ...changes });
}

const HOLDFAST = /__(holdfast|before)_/;

describe('a database that is put back while programs use it', () => {
  let taken: Taken;
  let beside: Beside;
  const restore = (id: string, target: object = {}, artifacts: readonly ArtifactReader[] = taken.artifacts) =>
    kind.restoreBeside(component(), artifacts, { ...EVERYTHING, ...target }, id, context);

  beforeAll(async () => {
    await server.sql(
      `CREATE ROLE shop_owner LOGIN PASSWORD 'of the shop'; CREATE ROLE reader; GRANT reader TO shop_owner;
       ALTER ROLE shop_owner SET work_mem TO '8MB'`,
    );
    await server.sql(`CREATE DATABASE shop OWNER shop_owner`);
    await server.sql(`COMMENT ON DATABASE shop IS 'it''s ours'`);
    await server.sql(`REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO reader`);
    await server.sql(`ALTER DATABASE shop SET search_path TO "$user", wares, public`);
    await server.sql(`ALTER ROLE reader IN DATABASE shop SET statement_timeout TO '9s'`);
    await server.sql(
      `CREATE SCHEMA wares AUTHORIZATION shop_owner; CREATE EXTENSION pg_trgm;
       CREATE TABLE wares.orders (id int PRIMARY KEY, what text NOT NULL);
       INSERT INTO wares.orders SELECT i, 'thing ' || i FROM generate_series(1, 3000) i;
       CREATE INDEX ON wares.orders USING gin (what gin_trgm_ops);
       ALTER TABLE wares.orders OWNER TO shop_owner; GRANT SELECT ON wares.orders TO reader;
       SELECT lo_from_bytea(0, decode(repeat('ab', 100000), 'hex'))`,
      { database: 'shop' },
    );
    taken = await capture(component());
    await server.sql(`DELETE FROM wares.orders WHERE id > 10; INSERT INTO wares.orders VALUES (-1, 'later')`, {
      database: 'shop',
    });
  });

  it('[W4] beside the live one, counts and checksums are those of the backup, and nobody is disturbed', async () => {
    const client = await server.client({ database: 'shop' });
    beside = await restore('first');
    expect(beside.place).toMatch(/^database shop__holdfast_[0-9a-f]{8}$/);
    expect(beside.facts).toMatchObject({ databases: 1, tables: 1, rows: 3000 });
    const report = await kind.checkBeside(component({ checks: CHECKS }), beside, context);
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    const said = Object.fromEntries(report.checks.map(({ name, detail }) => [name, detail]));
    expect(said).toMatchObject({
      'shop: rows': '3000 rows in 1 tables, as captured',
      'shop: large objects': '1 of 1',
      'shop: heap and B-trees': 'pg_amcheck found nothing',
      'table wares.orders': '3000 rows, at least 2000 wanted',
      'no later orders': 'true',
    });
    const { rows } = await client.query<{ n: string }>('SELECT count(*) AS n FROM wares.orders');
    expect(rows[0]?.n).toBe('11');
    await client.end();
    expect(
      await server.value("SELECT extname FROM pg_extension WHERE extname = 'amcheck'", { database: sideOf(beside) }),
    ).toBe(undefined);
  });

  it('the copy is changed: its check names the table, and what was asserted', async () => {
    const database = sideOf(beside);
    await server.sql(`UPDATE wares.orders SET what = 'other' WHERE id = 7`, { database });
    const other = await kind.checkBeside(component(), beside, context);
    expect(other.checks.filter(({ ok }) => !ok)).toEqual([
      { name: 'shop: contents', ok: false, detail: 'other contents in wares.orders' },
    ]);
    await server.sql(`DELETE FROM wares.orders WHERE id > 1000`, { database });
    const fewer = await kind.checkBeside(component({ checks: CHECKS }), beside, context);
    expect(fewer.ok).toBe(false);
    expect(fewer.checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['shop: rows', 'table wares.orders']);
    beside = await restore('first');
    expect((await kind.checkBeside(component(), beside, context)).ok).toBe(true);
  });

  it('[W4] [G5] swapped in with programs connected: they are cut, the old one is kept, grants and settings are there', async () => {
    const clients = await Promise.all([1, 2].map(() => server.client({ database: 'shop' })));
    const cut = clients.map((client: pg.Client) => new Promise<void>((resolve) => client.on('error', () => resolve())));
    await kind.swapIn(component(), beside, context);
    await Promise.all(cut);
    expect(await rowsIn('shop', 'wares.orders')).toBe(3000);
    const aside = (await names()).find((name) => name.startsWith('shop__before_')) ?? '';
    expect(await rowsIn(aside, 'wares.orders')).toBe(11);
    expect(await propertiesOf('shop')).toEqual(await propertiesOf(aside, 'shop'));
    const asReader = { user: 'shop_owner', password: 'of the shop', database: 'shop' };
    expect(await server.value('SELECT count(*)::int FROM orders', asReader)).toBe(3000);
    // A repeat, as after a worker that died before it could tell, finds it done.
    await kind.swapIn(component(), beside, context);
    expect(await rowsIn('shop', 'wares.orders')).toBe(3000);
  });

  it('put back: the old one is live again, and the copy can be swapped in once more', async () => {
    await kind.swapBack(component(), beside, context);
    expect(await rowsIn('shop', 'wares.orders')).toBe(11);
    await kind.swapBack(component(), beside, context);
    await kind.swapIn(component(), beside, context);
    await expect(kind.discard(component(), beside, context)).rejects.toMatchObject({ code: 'PlanChanged' });
    expect(await rowsIn('shop', 'wares.orders')).toBe(3000);
  });

  it('committed: the old one lies aside under its name, and goes only when it is not to be kept', async () => {
    const { aside } = await kind.commit(component(), beside, { keep: true }, context);
    expect(aside).toMatch(/^database shop__before_[0-9a-f]{8}$/);
    expect(await names()).toContain(aside?.split(' ')[1]);
    await kind.commit(component(), beside, { keep: false }, context);
    expect((await names()).filter((name) => HOLDFAST.test(name))).toEqual([]);
    expect(await rowsIn('shop', 'wares.orders')).toBe(3000);
  });

  it('the live database is gone: the restored one gets its name', async () => {
    const before = await propertiesOf('shop');
    await server.sql('DROP DATABASE shop');
    const made = await restore('gone');
    await kind.swapIn(component(), made, context);
    expect(await kind.commit(component(), made, { keep: true }, context)).toEqual({});
    expect(await propertiesOf('shop')).toEqual(before);
    expect(await rowsIn('shop', 'wares.orders')).toBe(3000);
    await kind.commit(component(), made, { keep: false }, context);
    expect(await names()).toEqual(['postgres', 'shop']);
  });

  it('to another name: the live one is not touched; a name that is taken is refused', async () => {
    const copied = await restore('copy', { elsewhere: 'shop_copy' });
    expect(copied.place).toBe('database shop_copy');
    expect(await rowsIn('shop_copy', 'wares.orders')).toBe(3000);
    await kind.swapIn(component(), copied, context);
    await expect(restore('copy-2', { elsewhere: 'shop' })).rejects.toMatchObject({ code: 'TargetNotEmpty' });
    await expect(restore('copy-3', { elsewhere: '/srv/x' })).rejects.toMatchObject({ code: 'BadInput' });
    await kind.discard(component(), copied, context);
    expect(await names()).toEqual(['postgres', 'shop']);
  });

  it('[W2] only to be verified: on a scratch server, where it was checked and of which nothing is left', async () => {
    const made = await restore('proof', { verify: true });
    expect(made.place).toBe('a scratch server');
    const report = await kind.checkBeside(component(), made, context);
    expect(report.ok).toBe(true);
    expect(report.checks.find(({ name }) => name === 'shop: rows')?.detail).toContain('3000 rows');
    await kind.discard(component(), made, context);
    expect(await names()).toEqual(['postgres', 'shop']);
    expect(await readdir(join(context.stateDirectory, 'scratch-servers'))).toEqual([]);
  });

  it('a dump that breaks off: the failure is told, and neither database nor record is left', async () => {
    const bytes = await bytesOf(taken.artifacts, 'db-shop.dump');
    const short = readerOf('db-shop.dump', 'application/octet-stream', bytes.subarray(0, bytes.length * 0.6));
    const artifacts = [...taken.artifacts.filter(({ name }) => name !== 'db-shop.dump'), short];
    await expect(restore('short', {}, artifacts)).rejects.toMatchObject({ code: 'PostgresToolFailed' });
    expect(await names()).toEqual(['postgres', 'shop']);
  });

  it('an extension that the server lacks, a newer server: refused by name before anything is made', async () => {
    const facts = structuredClone(taken.dump);
    const [shop] = facts.databases;
    Reflect.set(shop?.extensions[0] ?? {}, 'name', 'postgis');
    await expect(restore('no-extension', {}, withFacts(taken, facts))).rejects.toMatchObject({
      code: 'ExtensionMissing',
      message: expect.stringContaining('postgis 1') as string,
    });
    const newer = { ...taken.dump, server: { ...taken.dump.server, versionNumber: 990_001, version: '99.1' } };
    await expect(restore('newer', {}, withFacts(taken, newer))).rejects.toMatchObject({ code: 'PostgresVersion' });
    expect(await names()).toEqual(['postgres', 'shop']);
  });
});

const CHECKS = {
  requiredTables: [],
  minimumRows: { 'wares.orders': 2000 },
  assertions: [{ name: 'no later orders', sql: 'SELECT count(*) = 0 FROM orders WHERE id < 0' }],
};

function sideOf(beside: Beside): string {
  return beside.place.replace('database ', '');
}

function withFacts(taken: Taken, facts: object): ArtifactReader[] {
  const reader = readerOf('facts.json', 'application/json', Buffer.from(JSON.stringify(facts)));
  return [...taken.artifacts.filter(({ name }) => name !== 'facts.json'), reader];
}

/** All that belongs to a database itself. */
async function propertiesOf(database: string, called = database): Promise<unknown> {
  const rows = await server.sql(
    `SELECT pg_get_userbyid(datdba) AS owner, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a) AS acl, datallowconn AS open, datconnlimit AS most,
            shobj_description(oid, 'pg_database') AS comment,
            (SELECT array_agg(setrole::regrole::text || ':' || setconfig::text ORDER BY 1) FROM pg_db_role_setting
              WHERE setdatabase = d.oid) AS settings
       FROM pg_database d WHERE datname = '${database}'`,
  );
  expect(rows).toHaveLength(1);
  return { ...rows[0], called };
}

describe('several databases, and one whose name is hard', () => {
  it('all of them are exchanged at once, the one that everybody connects to among them', async () => {
    const all = component({ databases: [] });
    await server.sql(`CREATE DATABASE ${quoted(ODD)}`);
    await server.sql(`CREATE DATABASE german LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C' TEMPLATE template0`);
    for (const database of [ODD, 'german', 'postgres']) {
      await server.sql(`CREATE TABLE t (v text); INSERT INTO t VALUES ('grün')`, { database });
    }
    const { artifacts } = await capture(all);
    for (const database of [ODD, 'german', 'postgres']) await server.sql('DROP TABLE t', { database });
    const beside = await kind.restoreBeside(all, artifacts, EVERYTHING, 'all', context);
    const report = await kind.checkBeside(all, beside, context);
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    await kind.swapIn(all, beside, context);
    for (const database of [ODD, 'german', 'postgres']) expect(await rowsIn(database, 't')).toBe(1);
    expect(await server.value("SELECT daticulocale FROM pg_database WHERE datname = 'german'")).toMatch(/^de/);
    await kind.swapBack(all, beside, context);
    for (const database of [ODD, 'german', 'postgres']) {
      expect(await server.value("SELECT to_regclass('t') IS NULL", { database })).toBe(true);
    }
    await kind.discard(all, beside, context);
    expect((await names()).filter((name) => HOLDFAST.test(name))).toEqual([]);
  });
});
