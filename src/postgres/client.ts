/** Connections to a server, in a known state and closed when nobody wants them any more. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { Client, type ClientConfig } from 'pg';
import { HoldfastError } from '../failures.ts';
import type { PostgresServer } from '../system/types.ts';
import { postgresFailure } from './errors.ts';
import type { Place } from './place.ts';
import type { ConnectOptions } from './types.ts';

const CONNECT_LIMIT_MS = 20_000;
const KEEP_ALIVE_MS = 30_000;
/** From this version on a server looks whether its client is still there while a query runs. */
const LOOKS_FOR_CLIENT = 140_000;
/** Seen in pg_stat_activity. */
export const APPLICATION_NAME = 'holdfast';

/**
 * A role may carry settings that would end a long capture, hide rows from it, or let somebody's own functions answer in
 * place of PostgreSQL's. And values are written the same on every server, so that their checksums compare.
 */
const KNOWN_STATE = [
  'DateStyle = ISO',
  'IntervalStyle = postgres',
  'extra_float_digits = 1',
  'bytea_output = hex',
  'xmlbinary = base64',
  "lc_monetary = 'C'",
  'TimeZone = UTC',
  'statement_timeout = 0',
  'lock_timeout = 0',
  'idle_in_transaction_session_timeout = 0',
  'row_security = off',
  'search_path = pg_catalog',
  'client_min_messages = warning',
];

export interface Login {
  readonly user: string;
  readonly password: string | undefined;
}

/** Throws PostgresUnreachable, PostgresDenied, SourceMissing (no such database); when aborted the signal's reason. */
export async function connect(
  server: PostgresServer,
  place: Place,
  login: Login,
  options: ConnectOptions & { readonly database: string },
): Promise<Client> {
  const { signal, database, replication } = options;
  signal.throwIfAborted();
  const client = new Client({
    ...place.from,
    database,
    user: login.user,
    // A function also keeps the library from looking for passwords of its own in files and in the environment.
    password: () => login.password as string,
    ssl: await tlsOf(server, place),
    application_name: `${APPLICATION_NAME} ${hostname()}`.slice(0, 63),
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // The library knows it and its types don't.
    ...(replication === undefined ? {} : { replication: 'true' }),
  });
  // A connection that is cut while nothing is asked is told by the next query; unheard it would end the process.
  client.on('error', () => undefined);
  const cut = (): void => {
    destroy(client);
  };
  signal.addEventListener('abort', cut, { once: true });
  client.once('end', () => {
    signal.removeEventListener('abort', cut);
  });
  try {
    await client.connect();
    if (replication === undefined) await settle(client);
    return client;
  } catch (error) {
    destroy(client);
    signal.throwIfAborted();
    throw postgresFailure(error, `connect as ${login.user} to database ${database} at ${nameOf(place)}`);
  }
}

/** Closes at once, without the goodbye that a busy connection would wait for. */
export function destroy(client: Client): void {
  // Not in the library's types; its own `end` waits for the running query.
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}

export function nameOf(place: Place): string {
  return `${place.from.host}:${place.from.port}`;
}

async function settle(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT pg_catalog.current_setting('server_version_num')::int AS version`,
  );
  const settings = [...KNOWN_STATE];
  if ((rows[0]?.version ?? 0) >= LOOKS_FOR_CLIENT) settings.push("client_connection_check_interval = '5s'");
  await client.query(settings.map((setting) => `SET SESSION ${setting}`).join(';'));
}

async function tlsOf(server: PostgresServer, place: Place): Promise<ClientConfig['ssl']> {
  if (server.tls === 'disable' || place.from.host.startsWith('/')) return false;
  if (server.tls === 'require') return { rejectUnauthorized: false };
  const { caFile } = server;
  if (caFile === undefined) return { rejectUnauthorized: true };
  try {
    return { rejectUnauthorized: true, ca: await readFile(caFile, 'utf8') };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new HoldfastError('BadSystemFile', `caFile ${caFile} can't be read (${code ?? 'unknown error'})`, { cause });
  }
}
