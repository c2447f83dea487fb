/** Queries of the system file, asked of a database that they can't change. */
import { DIFFERENCES_TOLD } from '../../policy/check-values.ts';
import type { DockerHost } from '../../docker/types.ts';
import { isFinalForQuery } from '../../postgres/errors.ts';
import { oneStatement } from '../../postgres/one-statement.ts';
import { withPostgres, type OpenOptions } from '../../postgres/open.ts';
import { runSqlite } from '../../sources/sqlite/job.ts';
import { HoldfastError } from '../../failures.ts';
import type { Component, PostgresComponent, SqlProbe } from '../../system/types.ts';
import type { HostContext } from '../host-context.ts';
import type { DatabasePlace } from '../validation-types.ts';
import { inCopy } from './isolated.ts';

export interface Answer {
  /** The first rows. */
  readonly rows: readonly (readonly unknown[])[];
  readonly count: number;
}

export interface Question {
  readonly component: Component;
  readonly probe: Pick<SqlProbe, 'query' | 'database'>;
  /** Of an isolated copy; absent: the live one. */
  readonly place?: DatabasePlace;
  readonly limitMs: number;
  /** Rows that come back; the others are counted. Default 20. */
  readonly most?: number;
}

/** SQLite's own word for a query that it does not understand (sqlite.org/rescode.html). */
const SQLITE_ERROR = 1;

/** Throws what the database says, as a HoldfastError: QueryRefused when it is about the query; the signal's reason. */
export async function ask(context: HostContext, question: Question, signal: AbortSignal): Promise<Answer> {
  try {
    return await answerOf(context, question, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError) || !isAboutQuery(error)) throw error;
    throw new HoldfastError('QueryRefused', error.message, { cause: error, details: error.details });
  }
}

/** What has a code of its own, such as a missing right, says more than that the query was refused. */
function isAboutQuery(error: HoldfastError): boolean {
  if (error.code === 'PostgresRefused') return isFinalForQuery(error);
  return error.code === 'Internal' && error.details['errcode'] === SQLITE_ERROR;
}

async function answerOf(context: HostContext, question: Question, signal: AbortSignal): Promise<Answer> {
  const { component, probe, place, limitMs, most = DIFFERENCES_TOLD } = question;
  if (component.kind === 'sqlite') {
    const path = place === undefined ? component.path : inCopy(place.path, component.path);
    const order = { path, sql: probe.query, most };
    return runSqlite('ask', order, { signal, deadlineMs: limitMs, about: path });
  }
  if (component.kind === 'postgres') return askPostgres(context, { ...question, component }, signal);
  throw new HoldfastError('BadSystemFile', `${component.name} is of the kind ${component.kind} and answers no query`);
}

async function askPostgres(
  context: HostContext,
  { component, probe, place, limitMs, most = DIFFERENCES_TOLD }: Question & { readonly component: PostgresComponent },
  signal: AbortSignal,
): Promise<Answer> {
  const database = databaseThere(databaseOf(component, probe.database), component, place);
  const docker = (): DockerHost => context.docker();
  const server = place === undefined ? component.server : serverThere(component.server, place);
  return withPostgres(server, 'backup', { docker, ...secretThere(place) }, (access) =>
    access.withClient({ database, signal }, async (client) => {
      await client.query('BEGIN READ ONLY');
      await client.query(`SET LOCAL statement_timeout = ${Math.max(1, Math.round(limitMs))}`);
      // People write names without a schema.
      await client.query(`SELECT set_config('search_path', '"$user", public', true)`);
      await client.query(oneStatement(`DECLARE answers CURSOR FOR ${probe.query}`));
      const { rows } = await client.query<unknown[]>({
        text: `FETCH ${most} FROM answers`,
        rowMode: 'array',
      });
      const rest = rows.length < most ? 0 : ((await client.query('MOVE ALL FROM answers')).rowCount ?? 0);
      await client.query('ROLLBACK');
      return { rows, count: rows.length + rest };
    }),
  );
}

/** Only another address: a copy in a container of its own is reached by the port that it publishes. */
function serverThere(server: PostgresComponent['server'], place: DatabasePlace): PostgresComponent['server'] {
  const { address, port, user, own } = place;
  if (own !== undefined) return own.server;
  if (address === undefined) return server;
  return {
    ...server,
    address,
    port: port ?? server.port,
    tools: { kind: 'host' },
    backup: user === undefined ? server.backup : { user },
  };
}

function secretThere(place: DatabasePlace | undefined): Pick<OpenOptions, 'resolveSecret'> {
  const own = place?.own;
  return own === undefined ? {} : { resolveSecret: () => Promise.resolve(own.password ?? '') };
}

/** On a server of its own a copy has the live names; beside the live databases only other names are the copy. */
function databaseThere(own: string, { name }: PostgresComponent, place: DatabasePlace | undefined): string {
  const moved = place?.databases?.[own];
  if (moved !== undefined) return moved;
  if (place === undefined || place.address !== undefined || place.own !== undefined) return own;
  throw new HoldfastError('BadSystemFile', `nothing in the copy of ${name} stands for the database ${own}`);
}

function databaseOf(component: PostgresComponent, named: string | undefined): string {
  if (named !== undefined) return named;
  const databases = component.method === 'dump' ? component.databases : [];
  const [only] = databases;
  return databases.length === 1 && only !== undefined ? only : component.server.maintenanceDatabase;
}
