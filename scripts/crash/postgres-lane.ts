/** A PostgreSQL server with one database, dumped by a role with a password, restored beside and swapped in by name. */
import { randomBytes } from 'node:crypto';
import type { PostgresServer } from '../../test/support/postgres.ts';
import { laneSystem } from './lane.ts';
import type { Lane, LaneStore } from './lane.ts';
import { DATABASE, inApp, leftOnServer, scratchServersLeft, startLaneServer } from './lane-server.ts';

const ROWS = 12;
const ROW_BYTES = 512 * 1024;
/** Hexadecimal digits compress to half, and hardly more. */
const STORED_SHARE = 1.1;
/** A changed row lies in two chunks, of which the rest is stored again with it. */
const NEIGHBOURS_BYTES = 2 * 1024 * 1024;
const ASIDE = /\bapp__before_[0-9a-f]{8}\b/g;

/** The server is removed by `close`. */
export async function postgresLane(name: string, base: string, store: LaneStore): Promise<Lane> {
  const { server, described, victims } = await startLaneServer(base);
  await fill(server);
  let unique = ROWS * ROW_BYTES * STORED_SHARE;
  return {
    name,
    system: laneSystem(name, store, { kind: 'postgres', server: described, databases: [DATABASE] }),
    usesDocker: false,
    database: victims,
    chunkDirectory: store.chunkDirectory,
    uniqueBytes: () => unique,
    async change(part) {
      await setRow(server, 1 + Math.floor(part * ROWS));
      unique += ROW_BYTES * STORED_SHARE + NEIGHBOURS_BYTES;
      await server.sql(`INSERT INTO notes (words) VALUES ('changed ${String(part)}')`, inApp);
      // After a crash a sequence goes on behind what it had logged ahead; from a checkpoint on it is exact.
      await server.sql('CHECKPOINT');
      return digestOf(server);
    },
    async lose() {
      await server.sql(
        `DELETE FROM items WHERE id % 2 = 0; UPDATE items SET body = 'garbled'; DROP TABLE notes`,
        inApp,
      );
      return undefined;
    },
    digest: () => digestOf(server),
    troubles: async () => [...(await leftOnServer(server)), ...scratchServersLeft(name)],
    async forget(aside) {
      for (const kept of aside.flatMap((text) => text.match(ASIDE) ?? [])) {
        await server.sql(`DROP DATABASE ${kept} WITH (FORCE)`);
      }
    },
    close: () => server.dispose(),
  };
}

async function fill(server: PostgresServer): Promise<void> {
  await server.sql(
    `CREATE TABLE items (id int PRIMARY KEY, body bytea);
     ALTER TABLE items ALTER body SET STORAGE EXTERNAL;
     CREATE TABLE notes (id bigserial PRIMARY KEY, words text NOT NULL)`,
    inApp,
  );
  for (let id = 1; id <= ROWS; id += 1) await setRow(server, id);
}

async function setRow(server: PostgresServer, id: number): Promise<void> {
  const client = await server.client(inApp);
  try {
    await client.query('INSERT INTO items VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body', [
      id,
      randomBytes(ROW_BYTES),
    ]);
  } finally {
    await client.end();
  }
}

/** Of every row of every table, and of the sequence that numbers them. */
async function digestOf(server: PostgresServer): Promise<string> {
  const value = await server.value(
    `SELECT concat_ws(' ', (SELECT md5(string_agg(id || md5(body), ',' ORDER BY id)) FROM items),
      (SELECT md5(string_agg(id || words, ',' ORDER BY id)) FROM notes), (SELECT last_value FROM notes_id_seq))`,
    inApp,
  );
  return String(value);
}
