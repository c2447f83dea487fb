/** A PostgreSQL server as its sources see it: connections, and the server's own tools as streams. */
import type { Client } from 'pg';
import type { PostgresServer } from '../system/types.ts';

/** Which of the two roles of the system file is meant. */
export type PostgresRole = 'backup' | 'restore';

export interface ServerFacts {
  /** `server_version_num`, such as 150018. */
  readonly versionNumber: number;
  /** As people say it, such as `15.18`. */
  readonly version: string;
  /** Of the cluster, as pg_control_system() tells it; decimal digits. */
  readonly systemIdentifier: string;
  readonly inRecovery: boolean;
}

/**
 * A run of one tool. `stdout` is to be read to its end, also when nothing is expected of it. `done` settles after the
 * process is gone; its failure carries the end of what it wrote to stderr. A reader that leaves early ends the tool.
 */
export interface ToolRun {
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly done: Promise<void>;
}

export interface ToolOptions {
  readonly signal: AbortSignal;
  /** The database the tool connects to: PGDATABASE, as it is. */
  readonly database?: string;
  /**
   * A tool may end before all of it was read. If this process dies, the tool sees an input that ends early: scripts have
   * to be one transaction that their last line commits.
   */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Further settings of libpq, such as PGOPTIONS. Never secrets. */
  readonly env?: Readonly<Record<string, string>>;
  /** In a container. Default: the container's own user. */
  readonly user?: string;
}

export interface ConnectOptions {
  readonly signal: AbortSignal;
  /** Default: the maintenance database. */
  readonly database?: string;
  /** A physical replication connection (the role needs REPLICATION): it knows no SQL, and not the state said below. */
  readonly replication?: true;
}

/**
 * One server under one role. Passwords are resolved when it is opened and reach tools by a password file or their
 * environment, never by a command line.
 */
export interface PostgresAccess {
  readonly role: PostgresRole;
  readonly user: string;
  readonly server: PostgresServer;
  /** Asked once, then remembered. */
  facts(signal: AbortSignal): Promise<ServerFacts>;
  /**
   * A connected client: UTC, only pg_catalog on the search path, no time limits of the role, with a statement of who it
   * is (application_name). Aborting closes the connection; the server ends its query within seconds. Its queries throw
   * the client library's errors, which `postgresFailure` explains. The caller ends it.
   */
  connect(options: ConnectOptions): Promise<Client>;
  /** Connects and ends around `use`, also when it fails. What the server or network throws becomes a HoldfastError. */
  withClient<T>(options: ConnectOptions, use: (client: Client) => Promise<T>): Promise<T>;
  /**
   * Starts a tool such as pg_dump where the system file says; how to connect reaches it by its environment (PGHOST and
   * the others), so `-d`, `-h`, `-U` are not needed. Never a tool older than the server: PostgresVersion.
   */
  run(tool: string, args: readonly string[], options: ToolOptions): Promise<ToolRun>;
  /** Runs a tool to its end and returns what it printed, at most 64 MiB. */
  text(tool: string, args: readonly string[], options: ToolOptions): Promise<string>;
  /** Ends what is still open. */
  close(): Promise<void>;
}
