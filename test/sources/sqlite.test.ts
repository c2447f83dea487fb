import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sqliteKind } from '../../src/sources/kinds/sqlite.ts';
import type { Beside, KindContext } from '../../src/sources/kinds/component.ts';
import type { SqliteComponent } from '../../src/system/types.ts';
import { contextIn, EVERYTHING, MemorySink } from './kinds-helpers.ts';
import { isRoot, scratchDirectory } from './sample-tree.ts';

let scratch: ReturnType<typeof scratchDirectory>;
let live: string;
let context: KindContext;
let writer: ChildProcess | undefined;

beforeEach(() => {
  scratch = scratchDirectory('sqlite');
  mkdirSync(join(scratch.path, 'site'));
  live = join(scratch.path, 'site', 'wallets.db');
  context = contextIn(scratch.path);
});
afterEach(async () => {
  await stopWriter();
  scratch.remove();
});

function component(more: Partial<SqliteComponent> = {}): SqliteComponent {
  const base = { name: 'wallets', tier: 'critical', host: 'h', after: [], usedBy: [] } as const;
  return { ...base, kind: 'sqlite', path: live, requiredTables: ['accounts'], ...more };
}

function makeDatabase(journal: 'wal' | 'delete' = 'wal'): void {
  const database = new DatabaseSync(live);
  database.exec(`PRAGMA journal_mode = ${journal};
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
    CREATE TABLE transfers (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL);
    CREATE TABLE "odd ""name" (x);
    PRAGMA user_version = 7;
    BEGIN;`);
  const insert = database.prepare('INSERT INTO accounts (balance) VALUES (1000)');
  for (let index = 0; index < 100; index += 1) insert.run();
  const filler = database.prepare('INSERT INTO "odd ""name" VALUES (randomblob(4000))');
  for (let index = 0; index < 1000; index += 1) filler.run();
  database.exec('COMMIT');
  database.close();
}

async function startWriter(): Promise<void> {
  writer = fork(join(import.meta.dirname, 'sqlite-writer.ts'), [live], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(writer, 'message');
}

async function stopWriter(kill = false): Promise<void> {
  const child = writer;
  writer = undefined;
  if (child?.exitCode !== null) return;
  const ended = once(child, 'exit');
  if (kill) child.kill('SIGKILL');
  else child.send('stop');
  await ended;
}

async function captured(of = component()): Promise<MemorySink> {
  const sink = new MemorySink();
  await sqliteKind.capture(of, sink, context);
  return sink;
}

function ask(path: string, query: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 60_000 });
  try {
    return Object.values(database.prepare(query).get() ?? {})[0];
  } finally {
    database.close();
  }
}

const sum = (path: string): number => Number(ask(path, 'SELECT sum(balance) FROM accounts'));
const transfers = (path: string): number => Number(ask(path, 'SELECT count(*) FROM transfers'));

function transfer(path: string, count: number): void {
  const database = new DatabaseSync(path);
  for (let index = 0; index < count; index += 1) database.exec('INSERT INTO transfers (amount) VALUES (1)');
  database.close();
}

async function restored(sink: MemorySink, of = component()): Promise<Beside> {
  return sqliteKind.restoreBeside(of, sink.readers, EVERYTHING, 'r1', context);
}

function scratchFiles(): string[] {
  const directory = join(context.stateDirectory, 'scratch');
  return existsSync(directory) ? readdirSync(directory) : [];
}

describe('while the owner writes', () => {
  test.each(['wal', 'delete'] as const)(
    'journal mode %s: each copy is of one moment and the owner goes on',
    async (journal) => {
      makeDatabase(journal);
      await startWriter();
      for (let round = 0; round < 3; round += 1) {
        const sink = await captured();
        expect(scratchFiles()).toEqual([]);
        const beside = await restored(sink);
        expect((await sqliteKind.checkBeside(component(), beside, context)).checks.filter(({ ok }) => !ok)).toEqual([]);
        expect(sum(beside.place)).toBe(100_000);
        await sqliteKind.discard(component(), beside, context);
      }
      const before = transfers(live);
      await expect.poll(() => transfers(live), { timeout: 60_000 }).toBeGreaterThan(before);
    },
  );

  test('locked by somebody who changes the schema: the capture waits, and has what he committed', async () => {
    makeDatabase('delete');
    const other = new DatabaseSync(live);
    other.exec('BEGIN EXCLUSIVE; CREATE TABLE added (x)');
    const phases: string[] = [];
    const waiting = { ...context, report: ({ phase }: { phase: string }) => void phases.push(phase) };
    const sink = new MemorySink();
    const capture = sqliteKind.capture(component(), sink, waiting);
    await expect.poll(() => phases).toContain('copy');
    other.exec('COMMIT');
    other.close();
    expect((await capture).facts['rows']).toMatchObject({ added: 0, accounts: 100 });
  });

  test('a swap is refused as long as somebody has the database open, and nothing changes', async () => {
    makeDatabase();
    const sink = await captured();
    await startWriter();
    const beside = await restored(sink);
    await expect(sqliteKind.swapIn(component(), beside, context)).rejects.toMatchObject({ code: 'VolumeInUse' });
    expect(transfers(live)).toBeGreaterThan(0);
    await sqliteKind.discard(component(), beside, context);
    expect(readdirSync(join(scratch.path, 'site')).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('put back', () => {
  test.runIf(isRoot)('owner, mode, journal mode and version come back', async () => {
    makeDatabase();
    chmodSync(live, 0o640);
    chownSync(live, 1234, 4321);
    const sink = await captured();
    rmSync(live);
    const beside = await restored(sink);
    await sqliteKind.swapIn(component(), beside, context);
    expect(statSync(live)).toMatchObject({ uid: 1234, gid: 4321, mode: 0o100640 });
    expect(ask(live, 'PRAGMA user_version')).toBe(7);
    expect(ask(live, 'PRAGMA journal_mode')).toBe('wal');
  });

  test('a write-ahead log that a killed owner left is not applied to what was restored, and lies aside with its database', async () => {
    makeDatabase();
    const sink = await captured();
    await startWriter();
    await stopWriter(true);
    expect(statSync(`${live}-wal`).size).toBeGreaterThan(0);
    const written = transfers(live);
    const beside = await restored(sink);
    await sqliteKind.swapIn(component(), beside, context);
    await sqliteKind.swapIn(component(), beside, context);
    expect([transfers(live), sum(live)]).toEqual([0, 100_000]);
    const { aside } = await sqliteKind.commit(component(), beside, { keep: true }, context);
    expect(transfers(join(aside ?? '', 'wallets.db'))).toBe(written);
    await sqliteKind.commit(component(), beside, { keep: false }, context);
    expect(readdirSync(join(scratch.path, 'site')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('swapped back after the restored one was written to: the old one is whole', async () => {
    makeDatabase();
    const sink = await captured();
    transfer(live, 5);
    const beside = await restored(sink);
    await sqliteKind.swapBack(component(), beside, context);
    await sqliteKind.swapIn(component(), beside, context);
    writer = undefined;
    await startWriter();
    await stopWriter(true);
    for (let round = 0; round < 2; round += 1) await sqliteKind.swapBack(component(), beside, context);
    expect([transfers(live), sum(live)]).toEqual([5, 100_000]);
    await sqliteKind.discard(component(), beside, context);
    expect(readdirSync(join(scratch.path, 'site')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('[M6] a live database that is torn: it is exchanged all the same, with its log', async () => {
    makeDatabase();
    const sink = await captured();
    tear(live, 0);
    writeFileSync(`${live}-wal`, 'what was left');
    const beside = await restored(sink);
    await sqliteKind.swapIn(component(), beside, context);
    expect(sum(live)).toBe(100_000);
    const { aside } = await sqliteKind.commit(component(), beside, { keep: true }, context);
    expect(readdirSync(aside ?? '')).toEqual(expect.arrayContaining(['wallets.db', 'wallets.db-wal']));
  });

  test('[B7] corrupt, then a restore: the safety backup has its files byte for byte, for somebody to look into alone', async () => {
    makeDatabase();
    transfer(live, 2);
    tear(live, 0);
    writeFileSync(`${live}-wal`, 'what was left');
    const before = readFileSync(live);
    const sink = new MemorySink();
    await expect(sqliteKind.capture(component(), sink, context)).rejects.toMatchObject({ code: 'SourceCorrupt' });
    const told = await sqliteKind.capture(component(), sink, { ...context, raw: true });
    expect(told).toMatchObject({ facts: { raw: true, integrity: 'bad' } });
    expect(told.warnings.join()).toContain('byte by byte');
    expect(scratchFiles()).toEqual([]);
    expect([readFileSync(live).equals(before), existsSync(`${live}-wal`)]).toEqual([true, true]);

    const elsewhere = join(scratch.path, 'other', 'copy.db');
    const beside = await sqliteKind.restoreBeside(component(), sink.readers, { elsewhere, paths: [] }, 'r1', context);
    expect((await sqliteKind.checkBeside(component(), beside, context)).ok).toBe(true);
    expect(readFileSync(elsewhere).equals(before)).toBe(true);
    expect(readFileSync(`${elsewhere}-wal`, 'utf8')).toBe('what was left');
    // It is never taken into use.
    const live2 = await sqliteKind.restoreBeside(component(), sink.readers, EVERYTHING, 'r2', context);
    expect((await sqliteKind.checkBeside(component(), live2, context)).ok).toBe(false);
  });

  test('[B7] pages torn, tables or rows gone, or nothing left in it: a safety backup has it all the same', async () => {
    const raw = { ...context, raw: true };
    makeDatabase();
    tear(live, 3);
    const torn = new MemorySink();
    await sqliteKind.capture(component(), torn, raw);
    expect(torn.readers.map(({ name }) => name)).toContain('wallets.db');
    rmSync(live);
    makeDatabase();
    const strict = component({
      requiredTables: ['gone'],
      checks: { minimumRows: { accounts: 1000 }, requiredTables: [], assertions: [] },
    });
    expect((await sqliteKind.capture(strict, new MemorySink(), raw)).facts).toMatchObject({ integrity: 'ok' });
    for (const suffix of ['', '-wal', '-shm']) rmSync(live + suffix, { force: true });
    writeFileSync(live, '');
    expect((await sqliteKind.capture(component(), new MemorySink(), raw)).facts).toMatchObject({ raw: true });
  });

  test('another place gets the database, the live one stays', async () => {
    makeDatabase();
    const sink = await captured();
    transfer(live, 3);
    const elsewhere = join(scratch.path, 'other', 'copy.db');
    const beside = await sqliteKind.restoreBeside(component(), sink.readers, { elsewhere, paths: [] }, 'r1', context);
    expect((await sqliteKind.checkBeside(component(), beside, context)).ok).toBe(true);
    await sqliteKind.swapIn(component(), beside, context);
    expect([transfers(elsewhere), transfers(live)]).toEqual([0, 3]);
    await expect(
      sqliteKind.restoreBeside(component(), sink.readers, { elsewhere: live, paths: [] }, 'r2', context),
    ).rejects.toMatchObject({ code: 'TargetNotEmpty' });
    expect(transfers(live)).toBe(3);
  });

  test('a copy that is damaged before it is taken into use: the check says so', async () => {
    makeDatabase();
    const beside = await restored(await captured());
    tear(beside.place, 8192);
    const report = await sqliteKind.checkBeside(component(), beside, context);
    expect(report).toMatchObject({ ok: false });
  });
});

/** Overwrites a part of the file, from a page boundary on. */
function tear(path: string, from: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(20_000, 0x5a), 0, 20_000, from);
  closeSync(fd);
}

describe('what is no backup', () => {
  test.each<[string, string, () => void]>([
    ['no file', 'SourceMissing', () => undefined],
    ['an empty file', 'SourceEmpty', () => writeFileSync(live, '')],
    [
      'a database without tables',
      'SourceEmpty',
      () => {
        const database = new DatabaseSync(live);
        database.exec('PRAGMA user_version = 1; VACUUM;');
        database.close();
      },
    ],
    ['a file that is no database', 'SourceCorrupt', () => writeFileSync(live, 'no database '.repeat(1000))],
    [
      'a database with torn pages',
      'SourceCorrupt',
      () => {
        makeDatabase('delete');
        tear(live, 8192);
      },
    ],
    [
      'a database without a required table',
      'CheckFailed',
      () => {
        makeDatabase();
        const database = new DatabaseSync(live);
        database.exec('DROP TABLE accounts');
        database.close();
      },
    ],
  ])('%s: %s, nothing is made and no scratch copy stays', async (_what, code, make) => {
    make();
    const there = existsSync(live);
    const sink = new MemorySink();
    await expect(sqliteKind.capture(component(), sink, context)).rejects.toMatchObject({ code });
    expect(sink.readers).toEqual([]);
    expect(scratchFiles()).toEqual([]);
    expect(existsSync(live)).toBe(there);
  });

  test('a scratch copy that a killed process left is removed by the next capture', async () => {
    makeDatabase();
    const directory = join(context.stateDirectory, 'scratch');
    mkdirSync(directory, { recursive: true });
    // No process has this number: it is above the largest there can be.
    writeFileSync(join(directory, 'wallets.4194999-1.sqlite'), 'left');
    writeFileSync(join(directory, 'wallets.4194999-1.sqlite-wal'), 'left');
    await captured();
    expect(scratchFiles()).toEqual([]);
  });

  test('violated foreign keys are a warning, and no reason against a restore', async () => {
    makeDatabase();
    const database = new DatabaseSync(live, { enableForeignKeyConstraints: false });
    database.exec('CREATE TABLE child (p INTEGER REFERENCES accounts(id)); INSERT INTO child VALUES (12345)');
    database.close();
    const sink = new MemorySink();
    const { warnings } = await sqliteKind.capture(component(), sink, context);
    expect(warnings).toEqual([expect.stringContaining('1 violations of foreign keys')]);
    const beside = await restored(sink);
    expect((await sqliteKind.checkBeside(component(), beside, context)).ok).toBe(true);
  });

  test('fewer rows than the system file asks for: refused; an assertion that fails: told, and a restore is judged by it', async () => {
    makeDatabase();
    const wish = (least: number, sql: string): SqliteComponent =>
      component({
        checks: { requiredTables: [], minimumRows: { accounts: least }, assertions: [{ name: 'no money lost', sql }] },
      });
    await expect(sqliteKind.capture(wish(101, 'SELECT 1'), new MemorySink(), context)).rejects.toMatchObject({
      code: 'CheckFailed',
      message: expect.stringContaining('rows of accounts: 100, and at least 101') as string,
    });
    const lost = wish(100, 'SELECT sum(balance) = 1 FROM accounts');
    const sink = new MemorySink();
    const { warnings } = await sqliteKind.capture(lost, sink, context);
    expect(warnings).toEqual(['assertion "no money lost": not true']);
    const beside = await restored(sink);
    const bad = async (of: SqliteComponent): Promise<string[]> =>
      (await sqliteKind.checkBeside(of, beside, context)).checks.filter(({ ok }) => !ok).map(({ name }) => name);
    expect(await bad(lost)).toEqual(['no money lost']);
    expect(await bad(wish(100, 'SELECT sum(balance) = 100000 FROM accounts'))).toEqual([]);
    expect(await bad(wish(101, 'SELECT 1, 2'))).toEqual(['rows of accounts', 'no money lost']);
    expect(await bad(wish(1, 'DELETE FROM accounts RETURNING 1'))).toEqual(['no money lost']);
  });
});
