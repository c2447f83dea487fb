/** Opens a server of a system file under one of its roles. */
import type { Client } from 'pg';
import type { DockerHost } from '../docker/types.ts';
import { HoldfastError } from '../failures.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { PostgresServer, SecretRef } from '../system/types.ts';
import { connect, destroy } from './client.ts';
import type { Login } from './client.ts';
import { postgresFailure, toolFailure } from './errors.ts';
import type { ToolEnd } from './errors.ts';
import { findTool, majorOf, parseRelease, startOnHost } from './host-tools.ts';
import { placeOf } from './place.ts';
import type { Endpoint, Place } from './place.ts';
import type { ConnectOptions, PostgresAccess, PostgresRole, ServerFacts, ToolOptions, ToolRun } from './types.ts';

export interface OpenOptions {
  readonly docker: () => DockerHost;
  readonly resolveSecret?: (ref: SecretRef) => Promise<string>;
}

const GOODBYE_MS = 5000;
const TEXT_LIMIT_BYTES = 64 * 1024 * 1024;
/** Of a shell, for a program that a signal ended. */
const SIGNAL_BASE = 128;

/** Throws SecretMissing, and what `placeOf` throws; the server itself is not asked yet. */
export async function openPostgres(
  server: PostgresServer,
  role: PostgresRole,
  options: OpenOptions,
): Promise<PostgresAccess> {
  const { user, password } = role === 'restore' ? (server.restore ?? server.backup) : server.backup;
  const secret = password === undefined ? undefined : await (options.resolveSecret ?? resolveSecret)(password);
  return new Access(server, role, { user, password: secret }, await placeOf(server, options.docker), options.docker);
}

/** Opens the server for as long as `use` runs. */
export async function withPostgres<T>(
  server: PostgresServer,
  role: PostgresRole,
  options: OpenOptions,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  const access = await openPostgres(server, role, options);
  try {
    return await use(access);
  } finally {
    await access.close();
  }
}

class Access implements PostgresAccess {
  readonly server: PostgresServer;
  readonly role: PostgresRole;
  readonly user: string;
  /** Not enumerable: a logged access shows no password. */
  readonly #login: Login;
  private readonly place: Place;
  private readonly docker: () => DockerHost;
  private readonly clients = new Set<Client>();
  private readonly checked = new Set<string>();
  private known: ServerFacts | undefined;

  constructor(server: PostgresServer, role: PostgresRole, login: Login, place: Place, docker: () => DockerHost) {
    this.server = server;
    this.role = role;
    this.user = login.user;
    this.#login = login;
    this.place = place;
    this.docker = docker;
  }

  async facts(signal: AbortSignal): Promise<ServerFacts> {
    return (this.known ??= await this.withClient({ signal }, readFacts));
  }

  async connect({ database = this.server.maintenanceDatabase, ...options }: ConnectOptions): Promise<Client> {
    const client = await connect(this.server, this.place, this.#login, { database, ...options });
    this.clients.add(client);
    client.once('end', () => {
      this.clients.delete(client);
    });
    return client;
  }

  async withClient<T>(options: ConnectOptions, use: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.connect(options);
    try {
      const result = await use(client);
      await leave(client);
      return result;
    } catch (error) {
      destroy(client);
      options.signal.throwIfAborted();
      throw postgresFailure(error, `database ${options.database ?? this.server.maintenanceDatabase}`);
    }
  }

  async run(tool: string, args: readonly string[], options: ToolOptions): Promise<ToolRun> {
    const { versionNumber } = await this.facts(options.signal);
    const { container } = this.place;
    return container === undefined
      ? this.runOnHost(tool, args, options, versionNumber)
      : this.runInContainer(container, tool, args, options, versionNumber);
  }

  async text(tool: string, args: readonly string[], options: ToolOptions): Promise<string> {
    const { stdout, done } = await this.run(tool, args, options);
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const bytes of stdout) {
      length += bytes.length;
      if (length > TEXT_LIMIT_BYTES) {
        throw new HoldfastError('PostgresToolFailed', `${tool} printed more than ${TEXT_LIMIT_BYTES} bytes`);
      }
      pieces.push(bytes);
    }
    await done;
    return Buffer.concat(pieces).toString('utf8');
  }

  close(): Promise<void> {
    for (const client of this.clients) destroy(client);
    this.clients.clear();
    return Promise.resolve();
  }

  private async runOnHost(
    tool: string,
    args: readonly string[],
    options: ToolOptions,
    serverVersion: number,
  ): Promise<ToolRun> {
    const { tools } = this.server;
    const directory = await findTool(tool, serverVersion, tools.kind === 'host' ? tools.directory : undefined);
    const run = await startOnHost({
      program: `${directory}/${tool}`,
      args,
      env: { ...this.environment(options), ...options.env },
      password: this.#login.password,
      stdin: options.stdin,
      signal: options.signal,
    });
    return { stdout: run.stdout, done: this.judge(tool, run.ended) };
  }

  private async runInContainer(
    container: string,
    tool: string,
    args: readonly string[],
    options: ToolOptions,
    serverVersion: number,
  ): Promise<ToolRun> {
    const { signal, user } = options;
    await this.checkRelease(container, tool, serverVersion, signal);
    const { password } = this.#login;
    const run = await this.docker().exec(container, {
      command: [tool, ...args],
      env: {
        LC_ALL: 'C',
        TZ: 'UTC',
        ...this.environment(options),
        ...options.env,
        ...(password === undefined ? {} : { PGPASSWORD: password }),
      },
      signal,
      ...(user === undefined ? {} : { user }),
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    });
    const ended = run.ended.then(({ exitCode, stderr }) => endOf(tool, exitCode, stderr));
    return { stdout: run.stdout, done: this.judge(tool, ended) };
  }

  /** A container's tools are nearly always its server's; one that only holds tools may be behind. */
  private async checkRelease(container: string, tool: string, serverVersion: number, signal: AbortSignal) {
    if (this.checked.has(tool)) return;
    const { stdout, ended } = await this.docker().exec(container, { command: [tool, '--version'], signal });
    let text = '';
    for await (const bytes of stdout) text += Buffer.from(bytes).toString('utf8');
    const { exitCode, stderr } = await ended;
    const release = parseRelease(text);
    const { tools } = this.server;
    const where = tools.kind === 'container' ? `container ${tools.container}` : 'the container';
    if (exitCode !== 0 || release === undefined) {
      throw new HoldfastError('PostgresVersion', `${where} has no ${tool}: ${(stderr || text).trim().slice(-300)}`);
    }
    if (release < Math.floor(serverVersion / 10_000)) {
      throw new HoldfastError(
        'PostgresVersion',
        `the server is PostgreSQL ${majorOf(serverVersion)} and ${tool} in ${where} is of ${release}`,
      );
    }
    this.checked.add(tool);
  }

  /** How libpq is told where to connect: nothing of it is on a command line. */
  private environment({ database }: ToolOptions): Record<string, string> {
    const { host, port }: Endpoint = this.place.tools;
    return {
      ...(host === undefined ? {} : { PGHOST: host }),
      PGPORT: String(port),
      PGUSER: this.user,
      PGDATABASE: database ?? this.server.maintenanceDatabase,
      PGAPPNAME: 'holdfast',
      PGCONNECT_TIMEOUT: '20',
      ...this.tlsEnvironment(),
    };
  }

  private tlsEnvironment(): Record<string, string> {
    const { tls, caFile } = this.server;
    if (tls === 'disable') return { PGSSLMODE: 'disable' };
    // Inside the container it is the loopback of the server itself: its name is not in any certificate.
    if (tls === 'require' || this.place.container !== undefined) return { PGSSLMODE: 'require' };
    return { PGSSLMODE: 'verify-full', ...(caFile === undefined ? {} : { PGSSLROOTCERT: caFile }) };
  }

  private judge(tool: string, ended: Promise<ToolEnd>): Promise<void> {
    const done = ended.then((end) => {
      const failure = toolFailure(tool, end, this.#login.password);
      if (failure !== undefined) throw failure;
    });
    // Looked at when the output was read; a rejection before that is no crash.
    done.catch(() => undefined);
    return done;
  }
}

/** A server that doesn't answer the goodbye can't hold up what is done already. */
async function leave(client: Client): Promise<void> {
  const impatient = setTimeout(() => {
    destroy(client);
  }, GOODBYE_MS);
  try {
    await client.end();
  } finally {
    clearTimeout(impatient);
  }
}

function endOf(tool: string, exitCode: number, stderr: string): ToolEnd {
  if (exitCode === 127 && /not found|No such file/i.test(stderr)) {
    throw new HoldfastError('PostgresVersion', `the container has no ${tool}`);
  }
  const signalled = exitCode > SIGNAL_BASE;
  return {
    exitCode: signalled ? undefined : exitCode,
    killedBy: signalled ? `signal ${exitCode - SIGNAL_BASE}` : undefined,
    stderr,
  };
}

async function readFacts(client: Client): Promise<ServerFacts> {
  const { rows } = await client.query<{ number: number; version: string; recovery: boolean; system: string }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
            pg_is_in_recovery() AS recovery, (SELECT system_identifier::text FROM pg_control_system()) AS system`,
  );
  const [row] = rows;
  if (row === undefined) throw new HoldfastError('PostgresRefused', 'the server told nothing about itself');
  return {
    versionNumber: row.number,
    version: row.version.split(' ')[0] ?? row.version,
    systemIdentifier: row.system,
    inRecovery: row.recovery,
  };
}
