/**
 * A real PostgreSQL server for a test, on a free loopback port and a Unix socket, in a directory of its own that is
 * removed at the end, also when the test process is killed. Clusters are copies of a template, so that one costs a
 * fraction of a second.
 */
import { execFile } from 'node:child_process';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from '../../src/engine/ports.ts';
import { postgresBin, runAsServer } from './postgres/account.ts';
import { giveToServer, newCluster, serverDirectory, SUPERUSER_PASSWORD } from './postgres/cluster-files.ts';
import { appointHeir, startPostmaster } from './postgres/postmaster.ts';
import type { Postmaster, StopMode } from './postgres/postmaster.ts';

export { postgresBin, postgresMajors, runAsServer, serverAccount } from './postgres/account.ts';
export { SUPERUSER_PASSWORD } from './postgres/cluster-files.ts';
export type { StopMode } from './postgres/postmaster.ts';

const run = promisify(execFile);
const PORT_ATTEMPTS = 5;
const TOOL_LIMIT_MS = 300_000;

export type Settings = Readonly<Record<string, string | number | boolean>>;
export type Row = Readonly<Record<string, unknown>>;

export interface PostgresOptions {
  /** Lines of postgresql.conf. `fsync` is off unless asked for: a killed process loses nothing by it. */
  readonly settings?: Settings;
  /** SCRAM for every connection, by socket too; otherwise everybody is trusted and a password is ignored. */
  readonly passwords?: boolean;
  /** Further lines before the ones of pg_hba.conf, such as a role that is rejected. */
  readonly hba?: readonly string[];
  /** 1 makes the log go through many segments quickly; 16 is what real servers have. */
  readonly walSegmentMiB?: 1 | 16;
  readonly major?: number;
  /** Where its directory is made; the temporary directory unless said otherwise. */
  readonly parent?: string;
}

export interface Login {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/** What a client needs; `password` is always the superuser's unless another login was given. */
export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface PostgresServer extends AsyncDisposable {
  readonly bin: string;
  /** Everything of this server, removed at the end; tests may put files of their own here. */
  readonly base: string;
  readonly data: string;
  /** Directory of the Unix socket. */
  readonly socket: string;
  readonly port: number;
  /** Of the postmaster; throws while it isn't running. */
  readonly pid: number;
  readonly passwords: boolean;
  isRunning(): boolean;
  connection(login?: Login): Connection;
  /** A connected client for the caller to end; its connection errors are the caller's. */
  client(login?: Login): Promise<pg.Client>;
  /** Runs SQL in one connection, several statements being one transaction, and returns the last one's rows. */
  sql(text: string, login?: Login): Promise<Row[]>;
  /** The first column of the first row. */
  value(text: string, login?: Login): Promise<unknown>;
  /** Runs one of PostgreSQL's programs against this server as the tests' own account; returns what it printed. */
  tool(program: string, args: readonly string[], login?: Login): Promise<string>;
  /** Appends to postgresql.conf; in force after a restart or `SELECT pg_reload_conf()`. */
  configure(settings: Settings): Promise<void>;
  log(): Promise<string>;
  /** Starts again after `stop` or `kill`, on the same port. */
  start(): Promise<void>;
  stop(mode?: StopMode): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  /** SIGKILL to the postmaster and all its children. */
  kill(): Promise<void>;
  /** A streaming standby of this server, made by `pg_basebackup -R`, in recovery and open for reads. */
  standby(settings?: Settings): Promise<PostgresServer>;
  /** Stops it at once and removes its directory. A repeat does nothing. */
  dispose(): Promise<void>;
}

const DEFAULTS: Settings = {
  fsync: false,
  listen_addresses: '127.0.0.1',
  max_connections: 40,
  shared_buffers: '32MB',
  // In the data directory instead of /dev/shm, where it would outlive a SIGKILL.
  dynamic_shared_memory_type: 'mmap',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

/** Starts a new, empty server. Throws with the next step when PostgreSQL is missing. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = postgresBin(options.major);
  const base = await serverDirectory(options.parent);
  const data = join(base, 'data');
  return openServer({ bin, base, data, passwords: options.passwords ?? false }, async () => {
    await newCluster(bin, data, options.walSegmentMiB ?? 16);
    await writeHba(data, options);
    await appendSettings(data, { ...DEFAULTS, unix_socket_directories: base, ...options.settings });
  });
}

/** Starts a server on a data directory that somebody else put at `data`, below `base` (see `serverDirectory`). */
export async function startPostgresOn(
  where: { bin: string; base: string; data: string; passwords: boolean },
  settings: Settings = {},
): Promise<PostgresServer> {
  return openServer(where, () => appendSettings(where.data, { unix_socket_directories: where.base, ...settings }));
}

export { serverDirectory };

interface Place {
  readonly bin: string;
  readonly base: string;
  readonly data: string;
  readonly passwords: boolean;
}

async function openServer(place: Place, prepare: () => Promise<void>): Promise<PostgresServer> {
  const heir = appointHeir(place.base);
  try {
    await prepare();
    const { port, postmaster } = await startOnFreePort(place);
    const state = { postmaster, heir, gone: false };
    return serverOn(place, port, state);
  } catch (error) {
    heir.kill('SIGKILL');
    await rm(place.base, { recursive: true, force: true });
    throw error;
  }
}

/** A port that was free may be taken when the server asks for it; then another one is tried. */
async function startOnFreePort(place: Place): Promise<{ port: number; postmaster: Postmaster }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    await appendSettings(place.data, { port });
    const postmaster = await startPostmaster(place.bin, place.data, logOf(place));
    if (postmaster !== undefined) return { port, postmaster };
    if (attempt >= PORT_ATTEMPTS) throw new Error(`PostgreSQL did not start: ${await logTail(place)}`);
  }
}

function serverOn(
  place: Place,
  port: number,
  state: { postmaster: Postmaster; readonly heir: ReturnType<typeof appointHeir>; gone: boolean },
): PostgresServer {
  const { bin, base, data, passwords } = place;
  const standbys: PostgresServer[] = [];
  const server: PostgresServer = {
    bin,
    base,
    data,
    passwords,
    port,
    socket: base,
    get pid() {
      if (!state.postmaster.isRunning()) throw new Error('This PostgreSQL server is not running.');
      return state.postmaster.pid;
    },
    isRunning: () => state.postmaster.isRunning(),
    connection: (login = {}) => ({
      host: '127.0.0.1',
      port,
      user: login.user ?? 'postgres',
      password: login.password ?? SUPERUSER_PASSWORD,
      database: login.database ?? 'postgres',
    }),
    async client(login) {
      const client = new pg.Client(server.connection(login));
      await client.connect();
      return client;
    },
    async sql(text, login) {
      const client = await server.client(login);
      // A server that is killed cuts the connection beside the query, whose own error says so.
      client.on('error', () => undefined);
      try {
        const answer = (await client.query<Row>(text)) as pg.QueryResult<Row> | pg.QueryResult<Row>[];
        return (Array.isArray(answer) ? answer.at(-1)?.rows : answer.rows) ?? [];
      } finally {
        await client.end();
      }
    },
    value: async (text, login) => Object.values((await server.sql(text, login))[0] ?? {})[0],
    async tool(program, args, login) {
      const { stdout } = await run(join(bin, program), [...args], {
        env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC', ...environmentOf(server.connection(login)) },
        timeout: TOOL_LIMIT_MS,
        maxBuffer: 64 << 20,
      });
      return stdout;
    },
    configure: (settings) => appendSettings(data, settings),
    log: () => readFile(logOf(place), 'utf8'),
    async start() {
      if (state.postmaster.isRunning()) return;
      const started = await startPostmaster(bin, data, logOf(place));
      if (started === undefined) throw new Error(`PostgreSQL did not start again: ${await logTail(place)}`);
      state.postmaster = started;
    },
    stop: (mode = 'fast') => state.postmaster.stop(mode),
    async restart(mode) {
      await server.stop(mode);
      await server.start();
    },
    kill: () => state.postmaster.kill(),
    async standby(settings) {
      const made = await makeStandby(server, settings);
      standbys.push(made);
      return made;
    },
    async dispose() {
      if (state.gone) return;
      state.gone = true;
      for (const each of standbys) await each.dispose();
      await state.postmaster.stop('immediate');
      state.heir.kill('SIGKILL');
      await rm(base, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => server.dispose(),
  };
  return server;
}

async function makeStandby(primary: PostgresServer, settings: Settings = {}): Promise<PostgresServer> {
  const base = await serverDirectory();
  const data = join(base, 'data');
  const args = ['-D', data, '--write-recovery-conf', '--checkpoint=fast', '--no-sync'];
  return openServer({ bin: primary.bin, base, data, passwords: primary.passwords }, async () => {
    await runAsServer(join(primary.bin, 'pg_basebackup'), args, { env: environmentOf(primary.connection()) });
    await appendSettings(data, { unix_socket_directories: base, ...settings });
  });
}

/** The variables by which PostgreSQL's own programs find a server, so that nothing of it is on a command line. */
export function environmentOf(to: Connection): Record<string, string> {
  return {
    PGHOST: to.host,
    PGPORT: String(to.port),
    PGUSER: to.user,
    PGPASSWORD: to.password,
    PGDATABASE: to.database,
    PGCONNECT_TIMEOUT: '60',
  };
}

async function writeHba(data: string, options: PostgresOptions): Promise<void> {
  const method = options.passwords === true ? 'scram-sha-256' : 'trust';
  const lines = ['all', 'replication'].flatMap((database) => [
    `local ${database} all ${method}`,
    `host ${database} all 127.0.0.1/32 ${method}`,
  ]);
  await writeFile(join(data, 'pg_hba.conf'), [...(options.hba ?? []), ...lines, ''].join('\n'));
}

/** The last line of a name counts in postgresql.conf. */
async function appendSettings(data: string, settings: Settings): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}\n`);
  await appendFile(join(data, 'postgresql.conf'), lines.join(''));
  await giveToServer(join(data, 'postgresql.conf'));
}

function quoted(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;
}

function logOf(place: Place): string {
  return join(place.base, 'log');
}

async function logTail(place: Place): Promise<string> {
  return (await readFile(logOf(place), 'utf8')).slice(-2000);
}
