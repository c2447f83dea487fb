/** Restores of dumps that break in the middle, or that meet another server than they came from. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendantsOf, waitFor } from '../../sample/stack/processes.ts';
import type { ArtifactReader } from '../../src/part.ts';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import { postgresKind as kind } from '../../src/sources/kinds/postgres.ts';
import type { PostgresDumpComponent } from '../../src/system/types.ts';
import { contextIn, EVERYTHING } from '../sources/kinds-helpers.ts';
import { readerOf } from '../sources/materialise.ts';
import { startPostgres, SUPERUSER_PASSWORD, type PostgresServer } from '../support/postgres.ts';
import { bytesOf, capture, dumpComponent, serverConfig, type Taken } from './dump-helpers.ts';

const LIMIT_MS = 120_000;
const DUMP = 'db-shop.dump';
let directory: string;
let context: KindContext;
let server: PostgresServer;
let other: PostgresServer;
let taken: Taken;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-dump-restore-'));
  context = contextIn(directory);
  [server, other] = await Promise.all([
    startPostgres({ settings: { max_prepared_transactions: 5, allow_in_place_tablespaces: true } }),
    startPostgres({ passwords: true }),
  ]);
  await server.sql(`CREATE ROLE shop_owner LOGIN PASSWORD 'of the shop'; CREATE ROLE keeper; CREATE ROLE ghost`);
  await server.sql(`CREATE TABLESPACE fast LOCATION ''`);
  await server.sql('CREATE DATABASE shop OWNER shop_owner');
  await server.sql(
    `CREATE TABLE orders (id int PRIMARY KEY, what text); INSERT INTO orders SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 3000) i;
     ALTER TABLE orders OWNER TO shop_owner; GRANT SELECT ON orders TO keeper;
     CREATE TABLE notes (t text) TABLESPACE fast; ALTER TABLE notes OWNER TO ghost`,
    { database: 'shop' },
  );
  taken = await capture(component(server));
});

afterAll(async () => {
  await server.dispose();
  await other.dispose();
  await rm(directory, { recursive: true, force: true });
});

function component(of: PostgresServer): PostgresDumpComponent {
  return dumpComponent(serverConfig(of), { databases: ['shop'] });
}

async function made(of = server): Promise<string[]> {
  const rows = await of.sql(
    "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1",
  );
  return rows.map((row) => String(row['datname']));
}

/** The dump, which stops in its middle until it may go on. */
async function halting(): Promise<{ artifacts: ArtifactReader[]; reached: Promise<void>; goOn: () => void }> {
  const bytes = await bytesOf(taken.artifacts, DUMP);
  const half = Math.floor(bytes.length / 2);
  const reached = Promise.withResolvers<undefined>();
  const gate = Promise.withResolvers<undefined>();
  const dump: ArtifactReader = {
    ...readerOf(DUMP, 'application/octet-stream', bytes),
    async *read() {
      yield bytes.subarray(0, half);
      reached.resolve(undefined);
      await gate.promise;
      yield bytes.subarray(half);
    },
  };
  const artifacts = [...taken.artifacts.filter(({ name }) => name !== DUMP), dump];
  return { artifacts, reached: reached.promise, goOn: () => gate.resolve(undefined) };
}

const restore = (id: string, artifacts = taken.artifacts, target: object = {}) =>
  kind.restoreBeside(component(server), artifacts, { ...EVERYTHING, ...target }, id, context);

/** The session of pg_restore in the side database. */
async function session(): Promise<number> {
  return waitFor('the session of pg_restore', LIMIT_MS, async () => {
    const pid = await server.value(
      `SELECT max(pid) FROM pg_stat_activity WHERE datname LIKE 'shop\\_\\_holdfast%' AND query LIKE 'COPY%'`,
    );
    return typeof pid === 'number' ? pid : undefined;
  });
}

describe('a restore by a role that is short of rights', () => {
  it('a table belongs to a superuser: refused before anything is made, with who it is', async () => {
    await server.sql('CREATE ROLE mender LOGIN CREATEDB; GRANT shop_owner, ghost TO mender');
    await server.sql('ALTER TABLE orders OWNER TO postgres', { database: 'shop' });
    try {
      const lesser = dumpComponent(serverConfig(server, { restore: { user: 'mender' } }), { databases: ['shop'] });
      const { artifacts } = await capture(lesser);
      await expect(kind.restoreBeside(lesser, artifacts, EVERYTHING, 'lesser', context)).rejects.toMatchObject({
        code: 'PostgresDenied',
        waitingHelps: false,
        message: 'mender may give nothing to postgres, who own what is in the backup',
      });
      expect(await made()).toEqual(['shop']);
    } finally {
      await server.sql('ALTER TABLE orders OWNER TO shop_owner', { database: 'shop' });
      await server.sql('DROP ROLE mender');
    }
  });
});

describe('a restore that is cut off', () => {
  it('its connection: the failure says that waiting helps, nothing is left, and the next attempt works', async () => {
    const { artifacts, reached, goOn } = await halting();
    const restoring = restore('cut', artifacts);
    const failed = expect(restoring).rejects.toMatchObject({ code: 'PostgresUnreachable', waitingHelps: true });
    await reached;
    await server.sql(`SELECT pg_terminate_backend(${await session()})`);
    goOn();
    await failed;
    expect(await made()).toEqual(['shop']);
    const beside = await restore('cut');
    expect((await kind.checkBeside(component(server), beside, context)).ok).toBe(true);
    await kind.discard(component(server), beside, context);
    expect(await made()).toEqual(['shop']);
  });

  it('pg_restore is killed: told, and nothing is left', async () => {
    const { artifacts, reached, goOn } = await halting();
    const failed = expect(restore('killed', artifacts)).rejects.toMatchObject({ code: 'PostgresToolFailed' });
    await reached;
    await session();
    const tools = descendantsOf(process.pid).filter((pid) => commandOf(pid).includes('pg_restore'));
    expect(tools.length).toBeGreaterThan(0);
    for (const pid of tools) process.kill(pid, 'SIGKILL');
    goOn();
    await failed;
    expect(await made()).toEqual(['shop']);
  });

  it('the name it was to have is taken meanwhile: what took it is left alone', async () => {
    const { artifacts, reached, goOn } = await halting();
    const failed = expect(restore('taken', artifacts, { elsewhere: 'shop_copy' })).rejects.toMatchObject({
      code: 'TargetNotEmpty',
    });
    await reached;
    await server.sql('CREATE DATABASE shop_copy');
    await server.sql('CREATE TABLE mine ()', { database: 'shop_copy' });
    goOn();
    await failed;
    expect(await made()).toEqual(['shop', 'shop_copy']);
    expect(await server.value("SELECT to_regclass('mine') IS NOT NULL", { database: 'shop_copy' })).toBe(true);
    await server.sql('DROP DATABASE shop_copy');
  });

  it('more than the disk has room for: refused before anything is made', async () => {
    const dump = { ...readerOf(DUMP, 'application/octet-stream', Buffer.alloc(0)), lengthBytes: 2 ** 60 };
    const artifacts = [...taken.artifacts.filter(({ name }) => name !== DUMP), dump];
    await expect(restore('large', artifacts)).rejects.toMatchObject({ code: 'DiskFull' });
    expect(await made()).toEqual(['shop']);
  });

  it('the swap stops when the database is shut: put back, programs can connect to it as before', async () => {
    const beside = await restore('shut');
    const client = await server.client({ database: 'shop' });
    client.on('error', () => undefined);
    await client.query("BEGIN; INSERT INTO notes VALUES ('in doubt'); PREPARE TRANSACTION 'held'");
    const stop = new AbortController();
    const isOpen = () => server.value("SELECT datallowconn FROM pg_database WHERE datname = 'shop'");
    const swapping = kind.swapIn(component(server), beside, { ...context, signal: stop.signal });
    const failed = expect(swapping).rejects.toThrow();
    await waitFor('the database to be shut', LIMIT_MS, async () => ((await isOpen()) === false ? true : undefined));
    stop.abort();
    await failed;
    await kind.swapBack(component(server), beside, context);
    expect(await isOpen()).toBe(true);
    await server.sql("ROLLBACK PREPARED 'held'", { database: 'shop' });
    await kind.swapIn(component(server), beside, context);
    await kind.swapBack(component(server), beside, context);
    await kind.discard(component(server), beside, context);
    expect(await made()).toEqual(['shop']);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('another server than the one it came from', () => {
  const elsewhere = () =>
    dumpComponent(
      serverConfig(other, { backup: { user: 'postgres', password: { file: join(directory, 'password') } } }),
      { databases: ['shop'] },
    );

  it('roles that are missing are made with their passwords, one that is there stays as it is; undone, they go', async () => {
    await writeFile(join(directory, 'password'), SUPERUSER_PASSWORD, { mode: 0o600 });
    await other.sql('CREATE ROLE keeper CREATEDB CONNECTION LIMIT 7');
    const keeper = () => other.sql("SELECT * FROM pg_roles WHERE rolname = 'keeper'");
    const before = await keeper();
    const beside = await kind.restoreBeside(elsewhere(), taken.artifacts, EVERYTHING, 'roles', context);
    const report = await kind.checkBeside(elsewhere(), beside, context);
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.checks.at(-1)?.detail).toContain('roles made: ghost, shop_owner');
    expect(report.checks.at(-1)?.detail).toContain('no tablespace fast');
    expect(await keeper()).toEqual(before);
    await kind.swapIn(elsewhere(), beside, context);
    const asOwner = { user: 'shop_owner', password: 'of the shop', database: 'shop' };
    expect(await other.value('SELECT count(*)::int FROM orders', asOwner)).toBe(3000);
    expect(await other.value("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'ghost'")).toBe(false);
    await kind.swapBack(elsewhere(), beside, context);
    await kind.discard(elsewhere(), beside, context);
    expect(await made(other)).toEqual([]);
    const left = await other.sql("SELECT rolname FROM pg_roles WHERE rolname IN ('ghost', 'shop_owner', 'keeper')");
    expect(left).toEqual([{ rolname: 'keeper' }]);
  });
});
