/** Single rows out of dumps of a real server, back into its live databases. */
import { readFile, stat } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RowsAsk, RowsPreview } from '../../src/sources/rows/rows-kind.ts';
import { postgresRows } from '../../src/sources/rows/postgres-rows.ts';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import type { PostgresDumpComponent } from '../../src/system/types.ts';
import { contextIn } from '../sources/kinds-helpers.ts';
import { scratchDirectory } from '../sources/sample-tree.ts';
import { startPostgres, type PostgresServer, type Row } from '../support/postgres.ts';
import { capture, dumpComponent, serverConfig, type Taken } from './dump-helpers.ts';

const ID = 'a1b2c3d4-e5f6-4711-8899-aabbccddeeff';
const SIDE = 'app__rows_a1b2c3d4e5f6';

let server: PostgresServer;
let scratch: ReturnType<typeof scratchDirectory>;
let context: KindContext;
let component: PostgresDumpComponent;
let taken: Taken;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.dispose();
});
beforeEach(async () => {
  scratch = scratchDirectory('postgres-rows');
  context = contextIn(scratch.path);
  component = dumpComponent(serverConfig(server), { databases: ['app'] });
  await server.sql('CREATE DATABASE app');
});
afterEach(async () => {
  await postgresRows.discard(component, { rowsId: ID }, false, context);
  expect(
    await server.value(
      `SELECT count(*)::int FROM pg_database WHERE datname LIKE '%\\_\\_rows\\_%' OR datname LIKE '%\\_\\_make\\_%'`,
    ),
  ).toBe(0);
  await server.sql('DROP DATABASE app WITH (FORCE)');
  scratch.remove();
});

const app = (text: string): Promise<Row[]> => server.sql(text, { database: 'app' });
const code = (of: string) => expect.objectContaining({ code: of }) as Error;

function ask(table: string, more: Partial<RowsAsk> = {}): RowsAsk {
  return { rowsId: ID, table, onChanged: 'keep', ...more };
}

async function backup(): Promise<void> {
  taken = await capture(component, context);
}

async function preview(table: string, more: Partial<RowsAsk> = {}): Promise<RowsPreview> {
  const source = { manifestKey: `m-${table}`, keep: false, artifacts: () => Promise.resolve(taken.artifacts) };
  await postgresRows.bring(component, source, ask(table, more), context);
  return postgresRows.preview(component, ask(table, more), context);
}

async function putBack(table: string, more: Partial<RowsAsk> = {}) {
  const { affectedSha256 } = await preview(table, more);
  return postgresRows.apply(component, { ...ask(table, more), affectedSha256 }, context);
}

describe('rows of a dump beside the live ones', () => {
  test('every type comes back as it was, the rest is left alone, and the keys stay in a closed file [B8]', async () => {
    await app(`CREATE SCHEMA "Sch ema"; CREATE TYPE "Sch ema".mood AS ENUM ('sad', 'o''k'); CREATE DOMAIN pos AS int CHECK (value > 0);
      CREATE EXTENSION citext;
      CREATE TABLE "Sch ema"."Ta""ble" ("Mail" citext PRIMARY KEY, m "Sch ema".mood, ms "Sch ema".mood[], p pos, n numeric, f float8, c char(4),
        j json, b bytea, t timestamptz, i interval, x xml, pt point, a text[], money money, net inet, twice int GENERATED ALWAYS AS (p * 2) STORED);
      INSERT INTO "Sch ema"."Ta""ble" SELECT 'User' || g, 'o''k', ARRAY['sad', NULL]::"Sch ema".mood[], g, 1.10, 0.1 + 0.2, 'a',
        '{"b": 1,  "a": [1]}', decode(repeat('00ff5c0a', 50000), 'hex'), '2026-01-01 00:00:00.123456+02', '1 mon 2 days 00:00:03.5', '<a>é</a>', '(1,2.5)',
        ARRAY['x,y', E'\\\\', '"', NULL, E'tab\\tline\\n'], 12.34, '10.0.0.1/32' FROM generate_series(1, 5) g`);
    await backup();
    const all = 'SELECT t::text AS row FROM "Sch ema"."Ta""ble" t ORDER BY "Mail"';
    const before = await app(all);
    await app(
      `DELETE FROM "Sch ema"."Ta""ble" WHERE p IN (1, 2, 4); INSERT INTO "Sch ema"."Ta""ble" ("Mail", p) VALUES ('USER4', 9)`,
    );
    const found = await preview('"Sch ema"."Ta""ble"', { where: `p <> 2 AND m = 'o''k'::"Sch ema".mood` });
    expect(found.tables).toMatchObject([
      {
        table: 'Sch ema.Ta"ble',
        matchedBy: 'primary key',
        key: ['Mail'],
        selected: 4,
        missing: 1,
        changed: 1,
        same: 2,
      },
    ]);
    expect(await readFile(found.keysFile, 'utf8')).toContain('"what":"missing","key":{"Mail":"User1"}');
    expect((await stat(found.keysFile)).mode & 0o777).toBe(0o600);
    expect(await server.value(`SELECT count(*)::int FROM "Sch ema"."Ta""ble"`, { database: SIDE })).toBe(5);
    const applied = await putBack('"Sch ema"."Ta""ble"', { onChanged: 'restore' });
    expect(applied).toMatchObject({ added: 2, replaced: 1 });
    expect(await readFile(applied.replacedFile ?? '', 'utf8')).toContain('"Mail":"USER4"');
    expect((await app(all)).map(({ row }) => String(row).toLowerCase())).toEqual(
      before.map(({ row }) => String(row).toLowerCase()),
    );
  });

  test('conflicts are named and left out; parents before children, rows that refer to each other, sequences', async () => {
    await app(`CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail text UNIQUE, boss int REFERENCES users);
      CREATE TABLE deposits (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users);
      INSERT INTO users (mail, boss) VALUES ('a', NULL), ('b', 1), ('c', 1), ('d', NULL);
      UPDATE users SET boss = 3 WHERE id = 1; INSERT INTO deposits (user_id) VALUES (1), (2), (3), (4)`);
    await backup();
    await app(
      `TRUNCATE deposits, users RESTART IDENTITY; INSERT INTO users (id, mail) OVERRIDING SYSTEM VALUE VALUES (4, 'd'), (9, 'b')`,
    );
    const alone = await preview('deposits');
    expect(alone.tables).toMatchObject([
      {
        missing: 1,
        conflicts: [
          { kind: 'foreign key', rows: 3, why: expect.stringContaining('put "public"."users" back too') as string },
        ],
      },
    ]);
    const both = await preview('deposits, users');
    expect(both.tables).toMatchObject([
      { table: 'deposits', missing: 3, conflicts: [{ rows: 1 }] },
      { table: 'users', missing: 2, same: 1, conflicts: [{ kind: 'unique', rows: 1 }] },
    ]);
    const applied = await putBack('deposits, users');
    expect(applied).toMatchObject({ added: 5, warnings: [expect.stringContaining('raised')] });
    expect(await app('SELECT id, boss FROM users ORDER BY id')).toEqual([
      { id: 1, boss: 3 },
      { id: 3, boss: 1 },
      { id: 4, boss: null },
      { id: 9, boss: null },
    ]);
    expect(await app(`INSERT INTO deposits (user_id) VALUES (9) RETURNING id`)).toEqual([{ id: 5 }]);
    // The identity was behind the third user; what lies above it is somebody else's.
    await expect(app(`INSERT INTO users (mail) VALUES ('x') RETURNING id`)).rejects.toThrow(/duplicate key/);
    expect(await app(`INSERT INTO users (mail) VALUES ('y') RETURNING id`)).toEqual([{ id: 5 }]);
  });

  test('partitions, and a table without a key: as often as in the backup', async () => {
    await app(`CREATE TABLE log (k int, v text) PARTITION BY LIST (k); CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1);
      CREATE TABLE log_2 PARTITION OF log DEFAULT; INSERT INTO log VALUES (1, 'a'), (1, 'a'), (2, NULL), (3, 'c')`);
    await backup();
    await app(`DELETE FROM log_1; DELETE FROM log WHERE v IS NULL; INSERT INTO log VALUES (1, 'a')`);
    const found = await preview('log');
    expect(found.tables).toMatchObject([{ matchedBy: 'whole row', selected: 4, missing: 2, same: 2 }]);
    expect(await putBack('log')).toMatchObject({ added: 2 });
    expect(await app('SELECT k, v, count(*)::int AS n FROM log GROUP BY 1, 2 ORDER BY 1')).toEqual([
      { k: 1, v: 'a', n: 2 },
      { k: 2, v: null, n: 1 },
      { k: 3, v: 'c', n: 1 },
    ]);
  });

  test('a table dropped by accident: made again with its owner, grants, sequence, then its rows, then constraints and triggers', async () => {
    await app(`CREATE TYPE coin AS ENUM ('btc', 'eth'); CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1), (2);
      CREATE TABLE deposits (id serial PRIMARY KEY, user_id int REFERENCES users, coin coin UNIQUE, twice int GENERATED ALWAYS AS (id * 2) STORED);
      CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'fired'; END$$;
      INSERT INTO deposits (user_id, coin) VALUES (1, 'btc'), (2, 'eth');
      CREATE TRIGGER up BEFORE INSERT ON deposits FOR EACH ROW EXECUTE FUNCTION count_up();
      GRANT SELECT ON deposits TO pg_monitor`);
    await backup();
    await app('DROP TABLE deposits; DELETE FROM users WHERE id = 2');
    const found = await preview('deposits');
    expect(found.tables).toMatchObject([
      { missing: 2, notes: [expect.stringContaining('made again'), expect.anything()] },
    ]);
    await expect(putBack('deposits')).rejects.toThrow(/foreign key.*nothing was written/);
    expect(await server.value(`SELECT to_regclass('public.deposits')`, { database: 'app' })).toBeNull();
    await app('INSERT INTO users VALUES (2)');
    expect(await putBack('deposits')).toMatchObject({ added: 2 });
    expect(await app('SELECT id, user_id, coin::text, twice FROM deposits ORDER BY id')).toEqual([
      { id: 1, user_id: 1, coin: 'btc', twice: 2 },
      { id: 2, user_id: 2, coin: 'eth', twice: 4 },
    ]);
    expect(await server.value(`SELECT nextval('deposits_id_seq')::int`, { database: 'app' })).toBe(3);
    await expect(app(`INSERT INTO deposits (user_id) VALUES (1)`)).rejects.toThrow('fired');
    expect(
      await app(`SELECT has_table_privilege('pg_monitor', 'deposits', 'SELECT') AS reads, count(*)::int AS constraints
      FROM pg_constraint WHERE conrelid = 'deposits'::regclass`),
    ).toEqual([{ reads: true, constraints: 3 }]);
  });

  test('a dump of the wallets alone: restored into a separate database, then rows put back, types lent by the live one [W4]', async () => {
    await app(`CREATE TYPE coin AS ENUM ('btc', 'eth'); CREATE TABLE other (id int PRIMARY KEY);
      CREATE TABLE users (id serial PRIMARY KEY, name text); CREATE TABLE deposits (id serial PRIMARY KEY, user_id int REFERENCES users, coin coin, other int REFERENCES other);
      INSERT INTO users (name) VALUES ('u1'), ('u2'); INSERT INTO deposits (user_id, coin) VALUES (1, 'btc'), (2, 'eth'), (2, 'btc')`);
    component = dumpComponent(serverConfig(server), { databases: ['app'], tables: ['users', 'deposits'] });
    await backup();
    await app(`DELETE FROM deposits WHERE user_id = 2; DELETE FROM users WHERE id = 2`);
    const where = 'users: id = 2; deposits: user_id = 2';
    const found = await preview('users,deposits', { where });
    expect(found.tables).toMatchObject([{ missing: 1 }, { missing: 2, conflicts: [] }]);
    expect(await server.value('SELECT count(*)::int FROM deposits', { database: SIDE })).toBe(3);
    expect(await putBack('users,deposits', { where })).toMatchObject({ added: 3 });
    expect(await app('SELECT user_id, coin::text FROM deposits ORDER BY id')).toEqual([
      { user_id: 1, coin: 'btc' },
      { user_id: 2, coin: 'eth' },
      { user_id: 2, coin: 'btc' },
    ]);
  });
});

describe('with the rights of `holdfast grants` and no more', () => {
  test('a member of the owner, who may make databases: also beside an extension that only a superuser makes', async () => {
    await server.sql(
      `CREATE ROLE owner_of_rows; CREATE ROLE restorer_of_rows LOGIN CREATEDB; GRANT owner_of_rows TO restorer_of_rows`,
    );
    try {
      await app(`CREATE EXTENSION pageinspect; CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
        ALTER TABLE t OWNER TO owner_of_rows; INSERT INTO t (v) VALUES ('a'), ('b')`);
      await backup();
      await app('DELETE FROM t; ALTER SEQUENCE t_id_seq RESTART');
      component = dumpComponent(serverConfig(server, { restore: { user: 'restorer_of_rows' } }), {
        databases: ['app'],
      });
      const applied = await putBack('t');
      expect(applied).toMatchObject({ added: 2, warnings: [expect.stringContaining('raised')] });
      expect(await app(`INSERT INTO t (v) VALUES ('c') RETURNING id`)).toEqual([{ id: 3 }]);
    } finally {
      await postgresRows.discard(component, { rowsId: ID }, false, context);
      await app('DROP OWNED BY owner_of_rows, restorer_of_rows');
      await server.sql('DROP ROLE owner_of_rows, restorer_of_rows');
    }
  });
});

describe('with fewer rights than that', () => {
  test('a table and its sequence belong to a superuser: refused before anything is made; with the rights named it works', async () => {
    await server.sql('CREATE ROLE restorer_of_rows LOGIN CREATEDB');
    try {
      await app(`CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a'), ('b')`);
      await backup();
      await app('DELETE FROM t');
      component = dumpComponent(serverConfig(server, { restore: { user: 'restorer_of_rows' } }), {
        databases: ['app'],
      });
      const short = 'restorer_of_rows may not read and write t, t_id_seq of app';
      await expect(preview('t')).rejects.toMatchObject({ code: 'PostgresDenied', message: short });
      await app(
        `GRANT SELECT, INSERT, UPDATE ON t TO restorer_of_rows; GRANT SELECT, UPDATE ON t_id_seq TO restorer_of_rows`,
      );
      expect(await putBack('t')).toMatchObject({ added: 2 });
    } finally {
      await postgresRows.discard(component, { rowsId: ID }, false, context);
      await app('DROP OWNED BY restorer_of_rows');
      await server.sql('DROP ROLE restorer_of_rows');
    }
  });
});

describe('what stands in the way', () => {
  beforeEach(async () => {
    await app(`CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'); CREATE VIEW vw AS SELECT 1;
      CREATE SEQUENCE s; CREATE FUNCTION bad() RETURNS bool LANGUAGE plpgsql AS $$BEGIN DELETE FROM public.t; RETURN true; END$$`);
    await backup();
    await app('DELETE FROM t WHERE id < 3');
  });

  test('a condition that would write, is no expression, or is wrong; a table that is none: refused', async () => {
    for (const where of ['bad()', `nextval('s') > 0`, '1) OR (1=1', 'nope = 1', 'id = 1; DROP TABLE t', `id = 'x'`]) {
      await expect(preview('t', { where }), where).rejects.toThrow(code('BadInput'));
    }
    await expect(preview('nope')).rejects.toThrow(code('BadInput'));
    await expect(preview('vw')).rejects.toThrow(code('BadInput'));
    expect(await app('SELECT id FROM t')).toEqual([{ id: 3 }]);
  });

  test('others wrote since the preview: refused when the rows concerned are others', async () => {
    const { affectedSha256 } = await preview('t');
    await app(`INSERT INTO t VALUES (4, 'new')`);
    expect((await preview('t')).affectedSha256).toBe(affectedSha256);
    await app(`INSERT INTO t VALUES (1, 'mine')`);
    await expect(postgresRows.apply(component, { ...ask('t'), affectedSha256 }, context)).rejects.toThrow(
      code('PlanChanged'),
    );
    expect(await app('SELECT id, v FROM t ORDER BY id')).toEqual([
      { id: 1, v: 'mine' },
      { id: 3, v: 'c' },
      { id: 4, v: 'new' },
    ]);
  });

  test('the word of a committed attempt was lost: the server itself tells the repeat, whatever was written since', async () => {
    const { affectedSha256 } = await preview('t');
    const order = { ...ask('t'), affectedSha256 };
    expect((await postgresRows.apply(component, order, context)).warnings).toEqual([]);
    await app('DELETE FROM t WHERE id < 3');
    const again = await postgresRows.apply(component, order, context);
    expect(again).toMatchObject({ added: 2, warnings: [expect.stringContaining('earlier attempt')] });
    expect(await app('SELECT id FROM t')).toEqual([{ id: 3 }]);
  });

  test('a trigger refuses, another changes: nothing is written, and the history gets no contents', async () => {
    await app(`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF new.id = 2 THEN RAISE 'not two'; END IF; RETURN new; END$$;
      CREATE TRIGGER guard BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()`);
    expect((await preview('t')).tables[0]?.notes.join()).toContain('guard');
    await expect(putBack('t')).rejects.toThrow(/not two; nothing was written/);
    await app(
      `CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.v := 'q'; RETURN new; END$$`,
    );
    await expect(putBack('t')).rejects.toThrow(/2 rows of t were not as in the backup/);
    expect(await app('SELECT id FROM t')).toEqual([{ id: 3 }]);
  });
});
