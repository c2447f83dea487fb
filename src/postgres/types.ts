/** A PostgreSQL server as its sources see it: connections, and the server's own tools as streams. */
import type { Client } from 'pg';

/** Which of the two roles of the system file is meant. */
export type PostgresRole = 'backup' | 'restore';

export interface ServerFacts {
  /** `server_version_num`, such as 150018. */
  readonly versionNumber: number;
  /** Of the cluster, as pg_control_system() tells it; decimal digits. */
  readonly systemIdentifier: string;
  readonly inRecovery: boolean;
}

/** A run of one tool. `done` settles after the process is gone; its failure carries the end of what it wrote to stderr. */
export interface ToolRun {
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly done: Promise<void>;
}

export interface ToolOptions {
  readonly signal: AbortSignal;
  /** The database the tool connects to. */
  readonly database?: string;
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/**
 * One server under one role. Passwords are resolved when it is opened and reach tools by a password file or their
 * environment, never by a command line.
 */
export interface PostgresAccess {
  readonly role: PostgresRole;
  facts(signal: AbortSignal): Promise<ServerFacts>;
  /** A connected client, UTC, with a statement of who it is (application_name); the caller ends it. */
  connect(options: { database?: string; signal: AbortSignal }): Promise<Client>;
  /** Connects and ends around `use`, also when it fails. */
  withClient<T>(options: { database?: string; signal: AbortSignal }, use: (client: Client) => Promise<T>): Promise<T>;
  /** Starts a tool such as pg_dump where the system file says; connection options are added. */
  run(tool: string, args: readonly string[], options: ToolOptions): Promise<ToolRun>;
  close(): Promise<void>;
}
