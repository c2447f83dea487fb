/** What lanes over a PostgreSQL server have in common: the server, how it is struck, and what may be left of an operation. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateDirectory } from '../../src/system/home.ts';
import { startPostgres, SUPERUSER_PASSWORD } from '../../test/support/postgres.ts';
import type { PostgresServer, Settings } from '../../test/support/postgres.ts';

export const DATABASE = 'app';
export const inApp = { database: DATABASE } as const;

export interface LaneServer {
  readonly server: PostgresServer;
  /** The `server` of a component: a role with a password. */
  readonly described: object;
  /** Undefined: nobody was there to be struck. */
  readonly victims: { kill(): Promise<boolean>; cut(): Promise<boolean> };
}

export async function startLaneServer(base: string, settings: Settings = {}): Promise<LaneServer> {
  mkdirSync(base, { recursive: true });
  const password = path.join(base, 'password');
  writeFileSync(password, SUPERUSER_PASSWORD, { mode: 0o600 });
  const server = await startPostgres({ passwords: true, walSegmentMiB: 1, settings });
  const { host, port, user } = server.connection();
  await server.sql(`CREATE DATABASE ${DATABASE}`);
  return {
    server,
    described: { address: host, port, backup: { user, password: { file: password } } },
    victims: {
      async kill() {
        // A restore may have stopped it, or have started it itself.
        if (!server.isRunning()) return false;
        await server.kill();
        await server.start();
        return true;
      },
      async cut() {
        try {
          await server.sql(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')`,
          );
          return true;
        } catch (error) {
          if (isAway(error)) return false;
          throw error;
        }
      },
    },
  };
}

/** Stopped, starting, stopping, or gone in the middle of an answer. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '' } = error as { code?: string };
  return /^(57P0|08)|^E(CONNREFUSED|CONNRESET|PIPE)$/.test(code) || /Connection terminated/.test(error.message);
}

/** What was kept aside is named by the restore and removed after it; nothing else may be there. */
export async function leftOnServer(server: PostgresServer, slot?: string): Promise<string[]> {
  const rows = await server.sql(
    `SELECT 'database ' || datname AS what FROM pg_database
       WHERE datname NOT IN ('postgres', 'template0', 'template1', '${DATABASE}') AND datname !~ '^app__before_'
     UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots WHERE slot_name <> '${slot ?? ''}'
     UNION ALL SELECT 'session of ' || application_name FROM pg_stat_activity
       WHERE application_name ~* '^(${slot === undefined ? 'holdfast|' : ''}pg_dump|pg_restore|pg_basebackup)'`,
  );
  return rows.map(({ what }) => `${String(what)} is left`);
}

export function scratchServersLeft(system: string): string[] {
  const notes = path.join(stateDirectory(system), 'scratch-servers');
  if (!existsSync(notes)) return [];
  return readdirSync(notes).flatMap((file) => {
    const { directory } = JSON.parse(readFileSync(path.join(notes, file), 'utf8')) as { directory: string };
    return existsSync(directory) ? [`the scratch server in ${directory} is left`] : [];
  });
}
