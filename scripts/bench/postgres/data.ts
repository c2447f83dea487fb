/** The database of the benchmark: pgbench's tables, the changes made to them, and what tells two states apart. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostgres } from '../../../test/support/postgres.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';

/** Of 16 KiB pages and their index: what one unit of pgbench's scale takes on disk. */
export const SCALE_MIB = 15;
export const ROWS_PER_SCALE = 100_000;
const ARCHIVE_LIMIT_MS = 600_000;

export type Change = 'recent' | 'random';

/** As an operator would run it: durable, with archiving possible; nothing vacuums by itself between two contenders. */
export async function startBenchServer(parent: string): Promise<PostgresServer> {
  return startPostgres({
    parent,
    settings: {
      fsync: true,
      shared_buffers: '512MB',
      wal_level: 'replica',
      archive_mode: 'on',
      archive_command: '/bin/true',
      max_wal_size: '4GB',
      checkpoint_timeout: '30min',
      max_wal_senders: 10,
      max_replication_slots: 10,
      autovacuum: false,
    },
  });
}

/** pgbench leaves its filler blank, which compresses to nothing; hexadecimal digits compress to half, as real rows do. */
function filler(id: string, seed: number): string {
  const digest = (salt: string) => `md5(${id}::text || '${salt}${seed}')`;
  return `${digest('a')} || ${digest('b')} || left(${digest('c')}, 20)`;
}

/** pgbench's own tables at a scale. */
export async function fillServer(server: PostgresServer, scale: number): Promise<void> {
  await server.sql('CREATE DATABASE bench');
  const initialize = (steps: string) => server.tool('pgbench', ['-i', '-I', steps, `--scale=${scale}`, 'bench']);
  await initialize('dt');
  await server.sql(
    `INSERT INTO pgbench_branches SELECT n, 0 FROM generate_series(1, ${scale}) n;
     INSERT INTO pgbench_tellers SELECT n, (n - 1) / 10 + 1, 0 FROM generate_series(1, ${scale * 10}) n;
     INSERT INTO pgbench_accounts
       SELECT n, (n - 1) / ${ROWS_PER_SCALE} + 1, 0, ${filler('n', 0)} FROM generate_series(1, ${scale * ROWS_PER_SCALE}) n`,
    { database: 'bench' },
  );
  await initialize('vp');
  await settle(server);
}

/** Changes one row of a hundred and returns how many. `recent`: the last ones, side by side; `random`: anywhere. */
export async function changeRows(server: PostgresServer, scale: number, change: Change, seed: number): Promise<number> {
  const rows = scale * ROWS_PER_SCALE;
  const which =
    change === 'recent' ? `aid > ${rows - rows / 100}` : `abs(hashint4extended(aid, ${seed})) % 100 = ${seed % 100}`;
  const login = { database: 'bench' };
  const text = `WITH changed AS (UPDATE pgbench_accounts SET abalance = abalance + 1, filler = ${filler('aid', seed)}
    WHERE ${which} RETURNING 1) SELECT count(*)::int FROM changed`;
  const count = Number(await server.value(text, login));
  await server.sql('VACUUM pgbench_accounts', login);
  await settle(server);
  return count;
}

/** Everything written is on disk, and the archiver has nothing left to do. */
export async function settle(server: PostgresServer): Promise<void> {
  await server.sql('CHECKPOINT');
  const current = await server.value('SELECT pg_walfile_name(pg_switch_wal())');
  const end = Date.now() + ARCHIVE_LIMIT_MS;
  for (;;) {
    const archived = await server.value(
      `SELECT coalesce(last_archived_wal >= '${String(current)}', false) FROM pg_stat_archiver`,
    );
    if (archived === true) return;
    if (Date.now() > end) throw new Error(`the archiver did not come to ${String(current)}`);
    await sleep(100);
  }
}

/** The same for the same rows of the account table, whatever their order and place. */
export async function fingerprint(server: PostgresServer, database = 'bench'): Promise<string> {
  const value = await server.value(
    `SELECT concat_ws(' ', count(*), sum(abalance), sum(hashtextextended(aid || filler || abalance, 0)))
      FROM pgbench_accounts`,
    { database },
  );
  return String(value);
}

export async function databaseBytes(server: PostgresServer): Promise<number> {
  return Number(await server.value(`SELECT pg_database_size('bench')`));
}
