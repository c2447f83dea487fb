import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import { noteCopy, rowsFiles } from '../../src/sources/rows/rows-files.ts';
import { sqliteRows } from '../../src/sources/rows/sqlite-rows.ts';
import type { RowsAsk, RowsPreview } from '../../src/sources/rows/rows-kind.ts';
import type { SqliteComponent } from '../../src/system/types.ts';
import { contextIn } from './kinds-helpers.ts';
import { scratchDirectory } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let live: string;
let context: KindContext;
let component: SqliteComponent;

beforeEach(() => {
  scratch = scratchDirectory('sqlite-rows');
  mkdirSync(join(scratch.path, 'site'));
  live = join(scratch.path, 'site', 'wallets.db');
  context = contextIn(scratch.path);
  const base = { name: 'wallets', tier: 'critical', host: 'h', after: [], usedBy: [] } as const;
  component = { ...base, kind: 'sqlite', path: live, requiredTables: [] };
});
afterEach(() => {
  scratch.remove();
});

function sql(text: string): void {
  using database = new DatabaseSync(live);
  database.exec(text);
}

function rows(query: string): unknown[][] {
  using database = new DatabaseSync(live, { readOnly: true });
  return database
    .prepare(query)
    .all()
    .map((row) => Object.values(row));
}

const ID = 'r-1';

/** The live database as it is now becomes the copy of the backup; tests of whole workflows bring a real one. */
async function backup(): Promise<void> {
  const files = await rowsFiles(context.stateDirectory, ID);
  copyFileSync(live, files.copy);
  await noteCopy(files, { manifestKey: 'backups/x.json', place: files.copy, whole: true });
}

function ask(table: string, more: Partial<RowsAsk> = {}): RowsAsk {
  return { rowsId: ID, table, onChanged: 'keep', ...more };
}

function preview(table: string, more: Partial<RowsAsk> = {}): Promise<RowsPreview> {
  return sqliteRows.preview(component, ask(table, more), context);
}

async function putBack(table: string, more: Partial<RowsAsk> = {}) {
  const { affectedSha256 } = await preview(table, more);
  return sqliteRows.apply(component, { ...ask(table, more), affectedSha256 }, context);
}

const code = (of: string) => expect.objectContaining({ code: of }) as Error;

describe('rows of a SQLite backup beside the live ones', () => {
  test('rows deleted, changed, added since: only the deleted come back, by a condition [B8]', async () => {
    sql(`CREATE TABLE deposits (id INTEGER PRIMARY KEY, user_id INTEGER, amount REAL, note BLOB, twice AS (amount * 2));
      INSERT INTO deposits (id, user_id, amount, note) VALUES (1, 7, 1.5, x'00ff'), (2, 7, 2, NULL), (3, 8, 3, 'x'), (4, 7, 4, 'é''"')`);
    await backup();
    sql(`DELETE FROM deposits WHERE id IN (1, 3); UPDATE deposits SET amount = 99 WHERE id = 2;
      INSERT INTO deposits (id, user_id, amount) VALUES (10, 7, 10)`);
    const found = await preview('deposits', { where: 'user_id = 7' });
    expect(found.tables).toMatchObject([
      { matchedBy: 'primary key', key: ['id'], selected: 3, missing: 1, changed: 1, same: 1, conflicts: [] },
    ]);
    expect(found.tables[0]?.changedColumns).toEqual([{ column: 'amount', rows: 1 }]);
    expect(await putBack('deposits', { where: 'user_id = 7' })).toMatchObject({ added: 1, replaced: 0 });
    expect(rows('SELECT id, amount, note, twice FROM deposits ORDER BY id')).toEqual([
      [1, 1.5, new Uint8Array([0, 255]), 3],
      [2, 99, null, 198],
      [4, 4, 'é\'"', 8],
      [10, 10, null, 20],
    ]);
  });

  test('onChanged restore: differing rows become as in the backup, and the rows before are kept in a closed file', async () => {
    sql(`CREATE TABLE t (a TEXT COLLATE NOCASE, b INTEGER, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
      INSERT INTO t VALUES ('X', 1, 1), ('y', 2, 'two'), ('z', 3, 3)`);
    await backup();
    sql(`UPDATE t SET c = 1.0 WHERE b = 1; UPDATE t SET c = 'TWO' WHERE b = 2; UPDATE t SET a = 'Z' WHERE b = 3`);
    const found = await preview('t', { onChanged: 'restore' });
    // 1 is not 1.0, and a key in other letters is the same row of another text.
    expect(found.tables).toMatchObject([{ missing: 0, changed: 3, same: 0 }]);
    const applied = await putBack('t', { onChanged: 'restore' });
    expect(applied).toMatchObject({ added: 0, replaced: 3 });
    expect(rows(`SELECT a, c, typeof(c) FROM t ORDER BY b`)).toEqual([
      ['X', 1, 'integer'],
      ['y', 'two', 'text'],
      ['z', 3, 'integer'],
    ]);
    const kept = readFileSync(applied.replacedFile ?? '', 'utf8')
      .trim()
      .split('\n');
    expect(kept.map((line) => JSON.parse(line) as unknown)).toContainEqual({
      table: 't',
      row: { a: "'y'", b: '2', c: "'TWO'" },
    });
    expect(statSync(applied.replacedFile ?? '').mode & 0o777).toBe(0o600);
  });

  test('unique and foreign keys that would fail are named and left out, children of what stays out too', async () => {
    sql(`CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT UNIQUE, boss INTEGER REFERENCES users);
      CREATE TABLE deposits (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id));
      INSERT INTO users VALUES (1, 'a', NULL), (2, 'b', 1), (3, 'c', 2), (4, 'd', NULL);
      INSERT INTO deposits VALUES (1, 1), (2, 2), (3, 3), (4, 4)`);
    await backup();
    sql(`DELETE FROM deposits; DELETE FROM users WHERE id < 4; INSERT INTO users VALUES (9, 'b', NULL)`);
    const alone = await preview('deposits');
    expect(alone.tables).toMatchObject([
      { missing: 1, conflicts: [{ kind: 'foreign key', rows: 3, why: expect.stringContaining('users') as string }] },
    ]);
    const both = await preview('deposits, users');
    expect(both.tables).toMatchObject([
      { table: 'deposits', missing: 2, conflicts: [{ kind: 'foreign key', rows: 2 }] },
      {
        table: 'users',
        missing: 1,
        same: 1,
        conflicts: [
          { kind: 'unique', rows: 1 },
          { kind: 'foreign key', rows: 1 },
        ],
      },
    ]);
    const keys = readFileSync(both.keysFile, 'utf8').trim().split('\n');
    expect(keys).toContain('{"table":"users","what":"missing","key":{"id":"1"}}');
    expect(keys).toHaveLength(2 + 2 + 1 + 2);
    expect(statSync(both.keysFile).mode & 0o777).toBe(0o600);
    const applied = await putBack('deposits, users');
    expect(applied).toMatchObject({ added: 3, checks: [{ ok: true }, { name: 'foreign keys', ok: true }] });
    expect(rows('SELECT id FROM users ORDER BY 1')).toEqual([[1], [4], [9]]);
    expect(rows('SELECT id FROM deposits ORDER BY 1')).toEqual([[1], [4]]);
  });

  test('each table with its own condition', async () => {
    sql(`CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE "odd, ""name" (id INTEGER PRIMARY KEY, u INTEGER);
      INSERT INTO users VALUES (7), (8); INSERT INTO "odd, ""name" VALUES (1, 7), (2, 8)`);
    await backup();
    sql('DELETE FROM users; DELETE FROM "odd, ""name"');
    const where = 'users: id = 7; "odd, ""name": u IN (SELECT id FROM users WHERE id < 8)';
    expect(await putBack('users,"odd, ""name"', { where })).toMatchObject({ added: 2 });
    expect(rows('SELECT id FROM users')).toEqual([[7]]);
    expect(rows('SELECT id FROM "odd, ""name"')).toEqual([[1]]);
  });

  test('no key, duplicates: as often as in the backup', async () => {
    sql(
      `CREATE TABLE log (at TEXT, what TEXT); INSERT INTO log VALUES ('1', 'a'), ('1', 'a'), ('1', 'a'), ('2', 'b'), ('3', NULL)`,
    );
    await backup();
    sql(`DELETE FROM log WHERE rowid IN (1, 2, 5)`);
    const found = await preview('log');
    expect(found.tables).toMatchObject([{ matchedBy: 'whole row', missing: 3, same: 2 }]);
    expect(await putBack('log')).toMatchObject({ added: 3 });
    expect(rows('SELECT at, what, count(*) FROM log GROUP BY 1, 2 ORDER BY 1')).toEqual([
      ['1', 'a', 3],
      ['2', 'b', 1],
      ['3', null, 1],
    ]);
  });

  test('a table dropped by accident: made again with its indexes and triggers, sequence going on', async () => {
    sql(`CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); CREATE UNIQUE INDEX t_v ON t (v);
      CREATE TABLE seen (id INTEGER);
      CREATE TRIGGER t_seen AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.id); END;
      INSERT INTO t (v) VALUES ('a'), ('b'), ('c')`);
    await backup();
    sql('DROP TABLE t');
    const found = await preview('t');
    expect(found.tables[0]).toMatchObject({ missing: 3, notes: [expect.stringContaining('made again')] });
    expect(await putBack('t')).toMatchObject({ added: 3 });
    sql(`INSERT INTO t (v) VALUES ('d')`);
    expect(rows('SELECT id, v FROM t WHERE id > 2')).toEqual([
      [3, 'c'],
      [4, 'd'],
    ]);
    expect(rows('SELECT count(*) FROM seen')).toEqual([[4]]);
    expect(() => {
      sql(`INSERT INTO t (v) VALUES ('a')`);
    }).toThrow(/UNIQUE/);
  });

  test('the live table has other columns now: what both have is compared, the rest is told', async () => {
    sql(`CREATE TABLE t (id INTEGER PRIMARY KEY, old TEXT, v TEXT); INSERT INTO t VALUES (1, 'o', 'a'), (2, 'o', 'b')`);
    await backup();
    sql(`ALTER TABLE t DROP COLUMN old; ALTER TABLE t ADD COLUMN fresh TEXT DEFAULT 'f'; DELETE FROM t WHERE id = 2`);
    const found = await preview('t');
    expect(found.tables[0]).toMatchObject({ missing: 1, same: 1 });
    expect(found.tables[0]?.notes.join()).toMatch(/defaults: fresh.*left out: old/);
    await putBack('t');
    expect(rows('SELECT * FROM t WHERE id = 2')).toEqual([[2, 'b', 'f']]);
  });
});

describe('what stands in the way', () => {
  beforeEach(async () => {
    sql(`CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`);
    await backup();
    sql('DELETE FROM t WHERE id < 3');
  });

  test('a condition that SQLite does not take, or that would write: refused', async () => {
    for (const where of ['nope = 1', '1); DELETE FROM t; --']) {
      await expect(preview('t', { where })).rejects.toThrow(code('BadInput'));
    }
    expect(rows('SELECT id FROM t')).toEqual([[3]]);
  });

  test('no such table, a view, one of SQLite itself: refused', async () => {
    await expect(preview('nope')).rejects.toThrow(code('BadInput'));
    await expect(preview('sqlite_schema')).rejects.toThrow(code('BadInput'));
  });

  test('others wrote between preview and approval: not applied when the rows concerned are others', async () => {
    const { affectedSha256 } = await preview('t');
    sql(`INSERT INTO t VALUES (4, 'new')`);
    expect((await preview('t')).affectedSha256).toBe(affectedSha256);
    sql(`INSERT INTO t VALUES (1, 'mine')`);
    await expect(sqliteRows.apply(component, { ...ask('t'), affectedSha256 }, context)).rejects.toThrow(
      code('PlanChanged'),
    );
    expect(rows('SELECT * FROM t ORDER BY id')).toEqual([
      [1, 'mine'],
      [3, 'c'],
      [4, 'new'],
    ]);
  });

  test('the word of a committed attempt was lost: the repeat finds it done, also when one row has changed since', async () => {
    const { affectedSha256 } = await preview('t');
    const order = { ...ask('t'), affectedSha256 };
    expect((await sqliteRows.apply(component, order, context)).warnings).toEqual([]);
    sql(`DELETE FROM t WHERE id = 1`);
    const again = await sqliteRows.apply(component, order, context);
    expect(again).toMatchObject({ added: 2, warnings: [expect.stringContaining('earlier attempt')] });
    expect(rows('SELECT id FROM t ORDER BY 1')).toEqual([[2], [3]]);
  });

  test('a trigger refuses a row, another changes one: nothing is written, and it is said', async () => {
    sql(`CREATE TRIGGER no BEFORE INSERT ON t WHEN new.id = 2 BEGIN SELECT raise(ABORT, 'not two'); END`);
    await expect(putBack('t')).rejects.toThrow(/not two; nothing was written/);
    sql(`DROP TRIGGER no; CREATE TRIGGER alter_it AFTER INSERT ON t BEGIN UPDATE t SET v = 'q' WHERE id = new.id; END`);
    expect((await preview('t')).tables[0]?.notes.join()).toContain('alter_it');
    await expect(putBack('t')).rejects.toThrow(/2 rows of t were not as in the backup/);
    expect(rows('SELECT id FROM t')).toEqual([[3]]);
  });

  test('discarded: the copy is gone, and with it the keys unless they are to stay', async () => {
    const { keysFile } = await preview('t');
    const copy = join(context.stateDirectory, 'rows', ID, 'copy.sqlite');
    expect(existsSync(copy)).toBe(true);
    await sqliteRows.discard(component, ask('t'), true, context);
    expect([existsSync(copy), existsSync(keysFile)]).toEqual([false, true]);
    await sqliteRows.discard(component, ask('t'), false, context);
    await sqliteRows.discard(component, ask('t'), false, context);
    expect(existsSync(join(context.stateDirectory, 'rows', ID))).toBe(false);
  });
});
