/** Clusters brought back to a point: where recovery ends, which rows are there, what is refused, what is put in place. */
import { execFile } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLsn, segmentName } from '../../src/policy/lsn.ts';
import { droppedHalf } from '../../src/sources/cluster/examine.ts';
import { parseRecoveryEnd } from '../../src/sources/cluster/recovery.ts';
import type { Beside, CheckReport, RestoreTarget } from '../../src/sources/kinds/component.ts';
import { postgresBaseKind } from '../../src/sources/kinds/postgres-base.ts';
import { postmasterOf } from '../../src/postgres/pid-file.ts';
import { ServerOfDirectory } from '../../src/sources/cluster/service.ts';
import { withPrivateServer } from '../../src/postgres/private-server.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { contextIn, MemorySink } from '../sources/kinds-helpers.ts';
import { baseComponent, takeBack } from './cluster-component.ts';
import { walDirectory } from './wal-directory.ts';

const run = promisify(execFile);
const signal = new AbortController().signal;
let server: PostgresServer;
let archive: string;
let backup: MemorySink;
let coveredMs = 0;
/** Committed one by one; what was noted after each. */
const noted: { rows: number; time: string; lsn: string }[] = [];

beforeAll(async () => {
  server = await startPostgres({
    walSegmentMiB: 1,
    settings: { archive_mode: 'on', max_wal_senders: 3, max_prepared_transactions: 2 },
  });
  archive = join(server.base, 'archive');
  await server.configure({ archive_command: `mkdir -p ${archive} && cp %p ${archive}/%f` });
  await server.sql('SELECT pg_reload_conf()');
  await server.sql('CREATE TABLE commits (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())');
  await commit(1);
  // Its place in a server that recovers has to be there, or recovery fails.
  await server.sql("CREATE TABLE held (a int); BEGIN; INSERT INTO held VALUES (1); PREPARE TRANSACTION 'held'");
  backup = await capture(server);
  for (const id of [2, 3, 4]) {
    await commit(id);
    if (id === 3) await server.sql("SELECT pg_create_restore_point('before the fourth')");
  }
  await archived(server);
});
afterAll(() => server.dispose());

async function commit(id: number): Promise<void> {
  await server.sql(`INSERT INTO commits (id) VALUES (${id})`);
  const [row] = await server.sql(
    `SELECT pg_current_wal_lsn()::text AS lsn, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time`,
  );
  noted.push({ rows: id, time: String(row?.['time']), lsn: String(row?.['lsn']) });
}

async function capture(of: PostgresServer): Promise<MemorySink> {
  const sink = new MemorySink();
  await postgresBaseKind.capture(baseComponent(of), sink, contextIn(of.base));
  return sink;
}

/** Everything so far is in the archive. */
async function archived(of: PostgresServer): Promise<void> {
  coveredMs = Date.parse(String(await of.value('SELECT clock_timestamp()::text')));
  const name = String(await of.value('SELECT pg_walfile_name(pg_switch_wal())'));
  await until(() => existsSync(join(archive, name)));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('waited for a minute');
    await delay(50);
  }
}

let number = 0;
interface Tried {
  readonly beside: Beside;
  readonly report: CheckReport;
  readonly place: string;
}

async function bring(recoverTo: string | undefined, from: MemorySink = backup): Promise<Tried> {
  number += 1;
  const component = baseComponent(server);
  const context = contextIn(server.base);
  const place = join(server.base, `restored-${number}`);
  const target: RestoreTarget = {
    elsewhere: place,
    paths: [],
    wal: () => Promise.resolve(walDirectory(archive, coveredMs)),
    ...(recoverTo === undefined ? {} : { recoverTo }),
  };
  const beside = await postgresBaseKind.restoreBeside(component, from.readers, target, `r${number}`, context);
  return { beside, place, report: await postgresBaseKind.checkBeside(component, beside, context) };
}

async function rowsIn(place: string): Promise<number[]> {
  return withPrivateServer(
    { dataDirectory: place, toolsDirectory: server.bin, settings: { max_prepared_transactions: 2 }, signal },
    async ({ socketDirectory, port }) => {
      const client = new pg.Client({ host: socketDirectory, port, user: 'postgres', database: 'postgres' });
      await client.connect();
      try {
        const { rows } = await client.query<{ id: number }>('SELECT id FROM commits ORDER BY id');
        return rows.map(({ id }) => id);
      } finally {
        await client.end();
      }
    },
  );
}

const detailOf = ({ report }: Tried, name: string) => report.checks.find((check) => check.name === name)?.detail;

describe('a cluster brought back', () => {
  it('to its backup, a time, an LSN and a restore point: the rows committed until then, on a new timeline [T1] [G2]', async () => {
    const wanted: [string | undefined, number[]][] = [
      [undefined, [1]],
      [`time:${noted[1]?.time ?? ''}`, [1, 2]],
      [`lsn:${noted[2]?.lsn ?? ''}`, [1, 2, 3]],
      ['name:before the fourth', [1, 2, 3]],
    ];
    for (const [recoverTo, rows] of wanted) {
      const tried = await bring(recoverTo);
      expect(tried.report.checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(detailOf(tried, 'recovery')).toMatch(/now timeline 2/);
      expect(detailOf(tried, 'postgres: prepared transactions')).toMatch(/^1, whose locks .*: held/);
      expect(await rowsIn(tried.place)).toEqual(rows);
      expect(await readdir(join(tried.place, 'pg_twophase'))).toHaveLength(1);
      // It never writes into the archive of its original, and keeps nothing of ours.
      expect(await readFile(join(tried.place, 'postgresql.auto.conf'), 'utf8')).toContain("archive_mode = 'off'");
      expect(await readdir(tried.place)).not.toContain('holdfast_wal');
      await rm(tried.place, { recursive: true });
    }
    expect((await readdir(archive)).filter((name) => name.endsWith('.history'))).toEqual([]);
  });

  it('to a time after the last commit: the end of the log is that state, and it is told', async () => {
    const tried = await bring(`time:${noted[3]?.time ?? ''}`);
    expect(tried.report.ok).toBe(true);
    expect(detailOf(tried, 'time')).toMatch(/nothing was committed/);
    expect(await rowsIn(tried.place)).toEqual([1, 2, 3, 4]);
    await rm(tried.place, { recursive: true });
  });

  it('to a moment that the log does not reach: refused before anything is written', async () => {
    for (const target of ['time:2999-01-01T00:00:00Z', 'time:2001-01-01T00:00:00Z', 'lsn:FF/0']) {
      await expect(bring(target)).rejects.toMatchObject({ code: 'Unreachable' });
      expect(existsSync(join(server.base, `restored-${number}`))).toBe(false);
    }
  });

  it('to a restore point that never was: the check fails with what PostgreSQL said, and the copy can be removed', async () => {
    const { report, beside, place } = await bring('name:never was');
    expect(report.ok).toBe(false);
    expect(report.checks[0]?.detail).toContain('recovery ended before configured recovery target was reached');
    await postgresBaseKind.discard(baseComponent(server), beside, contextIn(server.base));
    expect(existsSync(place)).toBe(false);
  });

  it('by hand, with tar and PostgreSQL alone: the cluster is at the end of its backup, or at a time further on', async () => {
    const [base] = backup.readers;
    if (base === undefined) throw new Error('no base.tar');
    const place = join(server.base, 'by-hand');
    const tar = join(server.base, 'base.tar');
    await pipeline(base.read(), createWriteStream(tar));
    const unpack = `mkdir -m 700 ${place} && tar -xpf ${tar} -C ${place} && chown --reference=${server.data} ${place}`;
    await run('sh', ['-c', unpack]);
    await run(join(server.bin, 'pg_verifybackup'), [place]);
    expect(await rowsIn(place)).toEqual([1]);
    const settings = [
      `restore_command = 'cp ${archive}/%f %p'`,
      `recovery_target_time = '${(noted[1]?.time ?? '').replace('Z', '+00')}'`,
      "recovery_target_action = 'promote'",
      "archive_mode = 'off'",
    ].join('\n');
    await run('sh', ['-c', `rm -rf ${place} && ${unpack}`]);
    await run('sh', ['-c', `echo "${settings}" >>${place}/postgresql.auto.conf && touch ${place}/recovery.signal`]);
    expect(await rowsIn(place)).toEqual([1, 2]);
  });

  it('in place under a running server: stopped, exchanged, started, undone to the old rows, and put in for good [T1]', async () => {
    // A check that writes, for segments' worth, as pg_amcheck's extension does in a small way.
    const switches = 'SELECT pg_switch_wal() IS NOT NULL AND txid_current() > 0 AND pg_switch_wal() IS NOT NULL';
    const assertions = [1, 2, 3].map((n) => ({ name: `writes ${n}`, sql: switches }));
    const component = baseComponent(server, {
      dataDirectory: server.data,
      checks: { requiredTables: [], minimumRows: {}, assertions },
    });
    const context = contextIn(server.base);
    const beside = await postgresBaseKind.restoreBeside(
      component,
      backup.readers,
      {
        paths: [],
        recoverTo: `lsn:${noted[1]?.lsn ?? ''}`,
        wal: () => Promise.resolve(walDirectory(archive, coveredMs)),
      },
      'in-place',
      context,
    );
    expect(await postgresBaseKind.checkBeside(component, beside, context)).toMatchObject({ ok: true });
    // Whoever receives or archives the log of the new timeline finds its beginning.
    const log = join(beside.place, 'pg_wal');
    const history = parseRecoveryEnd(2, await readFile(join(log, '00000002.history'), 'utf8'));
    const started = segmentName(2, parseLsn(history?.lsn ?? ''), 1024 * 1024);
    expect(await readdir(log)).toContain(started);
    const count = () => server.value('SELECT count(*)::int FROM commits');
    expect(await count()).toBe(4);
    // As a run leaves it that is terminated before the exchange: nobody would start it again.
    await new ServerOfDirectory(server.data, context.stateDirectory, 'in-place-ledger-db').stop(signal);
    expect(await postmasterOf(server.data)).toBeUndefined();
    await postgresBaseKind.reopen?.(component, beside, context);
    expect(await count()).toBe(4);
    await postgresBaseKind.swapIn(component, beside, context);
    expect(await count()).toBe(2);
    // What is live by now may have been written to.
    await postgresBaseKind.reopen?.(component, beside, context);
    expect(await count()).toBe(2);
    await postgresBaseKind.swapIn(component, beside, context);
    expect(await postgresBaseKind.inspect(component, context)).toMatchObject({ exists: true, problems: [] });
    await postgresBaseKind.swapBack(component, beside, context);
    expect(await count()).toBe(4);
    await postgresBaseKind.swapIn(component, beside, context);
    expect(await count()).toBe(2);
    const { aside } = await postgresBaseKind.commit(component, beside, { keep: true }, context);
    expect(existsSync(join(aside ?? '', 'data', 'PG_VERSION'))).toBe(true);
    expect(await server.value('SELECT timeline_id FROM pg_control_checkpoint()')).toBe(2);
    await takeBack(server);
  });

  it('a DROP DATABASE that no commit divides from the end of the recovery: its check names the database and what to take instead', async () => {
    await server.sql('CREATE DATABASE half');
    const client = await server.client();
    try {
      expect(await droppedHalf(client)).toBeUndefined();
      await client.query(`UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half'`);
      expect(await droppedHalf(client)).toMatchObject({
        ok: false,
        detail: expect.stringMatching(/^half .*--to-lsn/) as string,
      });
      await expect(server.value('SELECT 1', { database: 'half' })).rejects.toMatchObject({ code: '55000' });
    } finally {
      await client.end();
    }
    await server.sql('DROP DATABASE half');
  });

  it('across the promotion, killed and its disk thrown away: an older and a new backup bring all that was archived back [T1] [B7]', async () => {
    await server.sql('INSERT INTO commits (id) VALUES (20)');
    const promoted = await capture(server);
    await server.sql('INSERT INTO commits (id) VALUES (21)');
    await archived(server);
    const tried = await bring('end');
    expect(tried.report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(detailOf(tried, 'recovery')).toMatch(/now timeline 3/);
    expect(await rowsIn(tried.place)).toEqual([1, 2, 20, 21]);

    await server.kill();
    await rm(server.data, { recursive: true });
    const component = baseComponent(server, { dataDirectory: server.data });
    const context = contextIn(server.base);
    expect(await postgresBaseKind.inspect(component, context)).toMatchObject({ exists: false });
    const target = { paths: [], recoverTo: 'end', wal: () => Promise.resolve(walDirectory(archive, coveredMs)) };
    const beside = await postgresBaseKind.restoreBeside(component, promoted.readers, target, 'lost', context);
    expect(await postgresBaseKind.checkBeside(component, beside, context)).toMatchObject({ ok: true });
    await postgresBaseKind.swapIn(component, beside, context);
    expect(await postgresBaseKind.commit(component, beside, { keep: true }, context)).toEqual({});
    await server.start();
    expect(await server.sql('SELECT id FROM commits ORDER BY id')).toEqual([1, 2, 20, 21].map((id) => ({ id })));
  });
});
