/**
 * A PostgreSQL cluster with base backups and its log received: struck while it is backed up, while its log is received,
 * while deleted rows are put back as they were at a moment, and while all of it is put back to a moment in its own place.
 */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn } from '../../src/policy/lsn.ts';
import { postmasterOf } from '../../src/postgres/pid-file.ts';
import { takeBack } from '../../test/postgres/cluster-component.ts';
import type { PostgresServer } from '../../test/support/postgres.ts';
import type { ClusterLane, Lane, LaneStore } from './lane.ts';
import { laneSystem } from './lane.ts';
import { inApp, isAway, leftOnServer, scratchServersLeft, startLaneServer } from './lane-server.ts';

const SLOT = 'holdfast_data';
const STORED_LIMIT_MS = 180_000;
const WRITE_MS = 1_500;
const NOW = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
/** What the accident takes. */
export const DELETED = 'id % 3 = 0';

/** The server is removed by `close`. */
export async function clusterLane(name: string, base: string, store: LaneStore): Promise<Lane> {
  // So that a new timeline is held from its beginning, also when its receiver comes late.
  const { server, described, victims } = await startLaneServer(base, { wal_keep_size: '64MB' });
  await server.sql(
    `CREATE TABLE orders (id bigserial PRIMARY KEY, words text NOT NULL); CREATE TABLE visits (n bigserial PRIMARY KEY);
     INSERT INTO orders (words) SELECT md5(g::text) FROM generate_series(1, 2000) g`,
    inApp,
  );
  const component = {
    kind: 'postgres',
    method: 'base',
    server: described,
    dataDirectory: server.data,
    wal: { store: 'vault', every: '1s', slotBound: '1GiB' },
  };
  let moment = '';
  const cluster: ClusterLane = {
    recoverTo: () => `time:${moment}`,
    write: () => write(server),
    stored: () => stored(server),
    async accident() {
      const orders = await digestOf(server, 'orders');
      moment = await momentOf(server);
      await server.sql(`DELETE FROM orders WHERE ${DELETED}`, inApp);
      await server.sql('INSERT INTO visits DEFAULT VALUES', inApp);
      await stored(server);
      return `${orders} ${await digestOf(server, 'visits')}`;
    },
    rows: { component: 'data', table: 'orders', where: DELETED },
  };
  return {
    name,
    system: laneSystem(name, store, component),
    rounds: [
      ['backup', 'restore'],
      ['receive', 'rows'],
    ],
    cluster,
    usesDocker: false,
    database: victims,
    chunkDirectory: store.chunkDirectory,
    async change(part) {
      await server.sql(`INSERT INTO orders (words) VALUES ('changed ${String(part)}')`, inApp);
      return digest(server);
    },
    async lose() {
      await server.sql(`INSERT INTO orders (words) SELECT 'only in the log' FROM generate_series(1, 50)`, inApp);
      const wanted = await digest(server);
      moment = await momentOf(server);
      await server.sql(`DELETE FROM orders WHERE id % 2 = 0; UPDATE orders SET words = 'garbled'`, inApp);
      await stored(server);
      return wanted;
    },
    digest: () => digest(server),
    async troubles() {
      await own(server);
      return [...(await leftOnServer(server, SLOT)), ...scratchServersLeft(name), ...leftBeside(server)];
    },
    async forget(aside) {
      for (const place of aside.flatMap((text) => text.match(/\/\S+/g) ?? [])) {
        if (path.dirname(place) === server.base) rmSync(place, { recursive: true, force: true });
      }
      await stored(server);
    },
    async close() {
      await own(server);
      await server.dispose();
    },
  };
}

/** A restore in place has started the server again by itself: it becomes the suite's own again, to be struck. */
async function own(server: PostgresServer): Promise<void> {
  if (server.isRunning()) return;
  if ((await postmasterOf(server.data)) !== undefined) await takeBack(server);
}

async function digest(server: PostgresServer): Promise<string> {
  return `${await digestOf(server, 'orders')} ${await digestOf(server, 'visits')}`;
}

async function digestOf(server: PostgresServer, table: 'orders' | 'visits'): Promise<string> {
  return String(
    await server.value(`SELECT count(*) || md5(string_agg(t::text, ',' ORDER BY t)) FROM ${table} t`, inApp),
  );
}

/** By the server's clock: what is committed now lies before it, what comes lies after it. */
async function momentOf(server: PostgresServer): Promise<string> {
  await sleep(20);
  const moment = String(await server.value(`SELECT ${NOW}`));
  await sleep(20);
  return moment;
}

/** Until everything that is acknowledged now is in the store; the server says what the receiver confirmed. */
async function stored(server: PostgresServer): Promise<void> {
  await own(server);
  const lsn = parseLsn(String(await server.value('SELECT pg_current_wal_flush_lsn()')));
  const end = Date.now() + STORED_LIMIT_MS;
  for (;;) {
    const rows = await server.sql(
      `SELECT restart_lsn::text AS at FROM pg_replication_slots WHERE slot_name = '${SLOT}' AND active`,
    );
    const at = rows[0]?.['at'];
    if (typeof at === 'string' && parseLsn(at) >= lsn) return;
    if (Date.now() > end) throw new Error('what was acknowledged did not come into the store in 3 minutes');
    await sleep(100);
  }
}

/** Commits one by one, over every loss of the server. Throws when something that was acknowledged is not there at the end. */
async function write(server: PostgresServer): Promise<void> {
  const end = Date.now() + WRITE_MS;
  const acknowledged: string[] = [];
  while (Date.now() < end) {
    try {
      acknowledged.push(String(await server.value(`INSERT INTO visits DEFAULT VALUES RETURNING n`, inApp)));
    } catch (error) {
      if (!isAway(error)) throw error;
      await sleep(50);
    }
  }
  for (;;) {
    try {
      const there = await server.value(
        `SELECT count(*)::int FROM visits WHERE n = ANY ('{${acknowledged.join()}}')`,
        inApp,
      );
      if (there !== acknowledged.length) throw new Error('an acknowledged transaction is not there any more');
      return;
    } catch (error) {
      if (!isAway(error)) throw error;
      await sleep(50);
    }
  }
}

/** Copies of restores that are not kept aside. */
function leftBeside(server: PostgresServer): string[] {
  return readdirSync(server.base)
    .filter((entry) => entry.startsWith('.holdfast-') && !entry.startsWith('.holdfast-aside-'))
    .map((entry) => `${entry} is left beside the data directory`);
}
