/** A PostgreSQL server with one database, dumped by a role with a password, restored beside and swapped in by name. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateDirectory } from '../../src/system/home.ts';
import { startPostgres, SUPERUSER_PASSWORD } from '../../test/support/postgres.ts';
import type { PostgresServer } from '../../test/support/postgres.ts';
import type { Lane, LaneStore } from './lane.ts';

const DATABASE = 'app';
const ROWS = 12;
const ROW_BYTES = 512 * 1024;
/** Hexadecimal digits compress to half, and hardly more. */
const STORED_SHARE = 1.1;
/** A changed row lies in two chunks, of which the rest is stored again with it. */
const NEIGHBOURS_BYTES = 2 * 1024 * 1024;
const ASIDE = /\bapp__before_[0-9a-f]{8}\b/g;

/** The server is removed by `close`. */
export async function postgresLane(name: string, base: string, store: LaneStore): Promise<Lane> {
  mkdirSync(base, { recursive: true });
  const password = path.join(base, 'password');
  writeFileSync(password, SUPERUSER_PASSWORD, { mode: 0o600 });
  const server = await startPostgres({ passwords: true, walSegmentMiB: 1 });
  await fill(server);
  let unique = ROWS * ROW_BYTES * STORED_SHARE;
  const { host, port, user } = server.connection();
  const login = { user, password: { file: password } };
  return {
    name,
    system: {
      system: name,
      hosts: [name],
      stores: { vault: store.config },
      components: {
        data: { kind: 'postgres', server: { address: host, port, backup: login }, databases: [DATABASE] },
      },
      plans: { now: { components: ['data'], stores: ['vault'], keep: { last: 1000 } } },
    },
    usesDocker: false,
    database: {
      async kill() {
        await server.kill();
        await server.start();
      },
      async cut() {
        await server.sql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        );
      },
    },
    chunkDirectory: store.chunkDirectory,
    uniqueBytes: () => unique,
    async change(part) {
      await setRow(server, 1 + Math.floor(part * ROWS));
      unique += ROW_BYTES * STORED_SHARE + NEIGHBOURS_BYTES;
      await server.sql(`INSERT INTO notes (words) VALUES ('changed ${String(part)}')`, { database: DATABASE });
      return digestOf(server);
    },
    async lose() {
      await server.sql(
        `DELETE FROM items WHERE id % 2 = 0; UPDATE items SET body = 'garbled'; DROP TABLE notes`,
        ...[{ database: DATABASE }],
      );
    },
    digest: () => digestOf(server),
    troubles: async () => [...(await leftOnServer(server)), ...leftOnHost(name)],
    async forget(aside) {
      for (const kept of aside.flatMap((text) => text.match(ASIDE) ?? [])) {
        await server.sql(`DROP DATABASE ${kept} WITH (FORCE)`);
      }
    },
    close: () => server.dispose(),
  };
}

async function fill(server: PostgresServer): Promise<void> {
  await server.sql(`CREATE DATABASE ${DATABASE}`);
  await server.sql(
    `CREATE TABLE items (id int PRIMARY KEY, body bytea);
     ALTER TABLE items ALTER body SET STORAGE EXTERNAL;
     CREATE TABLE notes (id bigserial PRIMARY KEY, words text NOT NULL)`,
    { database: DATABASE },
  );
  for (let id = 1; id <= ROWS; id += 1) await setRow(server, id);
}

async function setRow(server: PostgresServer, id: number): Promise<void> {
  const client = await server.client({ database: DATABASE });
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
    { database: DATABASE },
  );
  return String(value);
}

/** What was kept aside is named by the restore and removed after it; nothing else may be there. */
async function leftOnServer(server: PostgresServer): Promise<string[]> {
  const rows = await server.sql(
    `SELECT 'database ' || datname AS what FROM pg_database
       WHERE datname NOT IN ('postgres', 'template0', 'template1', '${DATABASE}') AND datname !~ '^app__before_'
     UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots
     UNION ALL SELECT 'session of ' || application_name FROM pg_stat_activity
       WHERE application_name ~* '^(holdfast|pg_dump|pg_restore)'`,
  );
  return rows.map(({ what }) => `${String(what)} is left`);
}

function leftOnHost(system: string): string[] {
  const notes = path.join(stateDirectory(system), 'scratch-servers');
  if (!existsSync(notes)) return [];
  return readdirSync(notes).flatMap((file) => {
    const { directory } = JSON.parse(readFileSync(path.join(notes, file), 'utf8')) as { directory: string };
    return existsSync(directory) ? [`the scratch server in ${directory} is left`] : [];
  });
}
