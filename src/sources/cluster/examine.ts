/** What a recovered cluster answers: where recovery ended, its pages and indexes, the system file's own checks. */
import type { Client } from 'pg';
import type { PrivateServer } from '../../postgres/private-server.ts';
import { parseTableName } from '../../postgres/table-names.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresBaseComponent } from '../../system/types.ts';
import type { CheckReport, KindContext } from '../kinds/component.ts';
import { withOwner } from './as-owner.ts';
import type { ClusterFacts } from './facts.ts';
import { amcheck, checkAssertion, checkRequired } from '../postgres/database-checks.ts';
import { lastTransactionTime, parseRecoveryEnd } from './recovery.ts';

type Check = CheckReport['checks'][number];

export interface Examined {
  readonly component: PostgresBaseComponent;
  readonly facts: ClusterFacts;
  readonly programs: string;
}

export async function examineCluster(
  server: PrivateServer,
  { component, facts, programs }: Examined,
  context: KindContext,
): Promise<Check[]> {
  const { signal } = context;
  return withOwner({ server, component, programs }, context, async (access) => {
    const halfDropped = await access.withClient({ signal }, droppedHalf);
    if (halfDropped !== undefined) return [halfDropped];
    const databases = await access.withClient({ signal }, databasesOf);
    const checks = await access.withClient({ signal }, async (client) => [
      await identity(client, facts),
      await recoveryEnd(client, server.log()),
      await slots(client),
    ]);
    if (facts.versionNumber >= 150_000) checks.push(await access.withClient({ signal }, collations));
    const prepared = await access.withClient({ signal }, preparedIn);
    for (const database of databases) {
      context.report({ phase: `check database ${database}` });
      const held = prepared.get(database);
      if (held !== undefined) {
        checks.push({ name: `${database}: prepared transactions`, ok: true, detail: heldWords(held) });
        continue;
      }
      const pages = await amcheck(access, { database, signal });
      checks.push({ ...pages, name: `${database}: ${pages.name}` });
    }
    return [...checks, ...(await ownChecks(access, component, databases, signal))];
  });
}

/** Those that hold something of the operator's, in the order of their names. */
export async function databasesOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ datname: string }>(
    'SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname',
  );
  return rows.map(({ datname }) => datname);
}

/**
 * A server recovers to a time by the commits before it, and a DROP DATABASE writes its removal before its own commit: one that
 * no other commit divides from the moment has half happened. Such a database is marked (pg_database.datconnlimit = -2, since
 * 15.4, 14.9, 13.12, 12.16) and lets nobody in. Undefined when there is none.
 */
export async function droppedHalf(client: Client): Promise<Check | undefined> {
  const { rows } = await client.query<{ datname: string }>(
    'SELECT datname FROM pg_database WHERE datconnlimit = -2 ORDER BY datname',
  );
  if (rows.length === 0) return undefined;
  const names = rows.map(({ datname }) => datname).join(', ');
  const detail = `${names} was being dropped at the end of the recovery, with no commit before it to stop at: take an earlier time, or a position of the log (--to-lsn)`;
  return { name: 'databases', ok: false, detail };
}

async function identity(client: Client, facts: ClusterFacts): Promise<Check> {
  const { rows } = await client.query<{ identifier: string; recovering: boolean }>(
    'SELECT system_identifier::text AS identifier, pg_is_in_recovery() AS recovering FROM pg_control_system()',
  );
  const [row] = rows;
  const ok = row?.identifier === facts.systemIdentifier && !row.recovering;
  return {
    name: 'started',
    ok,
    detail: `cluster ${row?.identifier ?? '?'}${row?.recovering === true ? ', still recovering' : ', open for writes'}`,
  };
}

/** The names of transactions that wait for COMMIT PREPARED, by database. */
async function preparedIn(client: Client): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ database: string; gids: string[] }>(
    'SELECT database::text AS database, array_agg(gid ORDER BY gid) AS gids FROM pg_prepared_xacts GROUP BY 1',
  );
  return new Map(rows.map(({ database, gids }) => [database, gids]));
}

function heldWords(gids: readonly string[]): string {
  const some = gids.slice(0, 5).join(', ');
  return `${gids.length}, whose locks pg_amcheck would wait for, so it did not look: ${some}; end them with COMMIT PREPARED or ROLLBACK PREPARED`;
}

/** From the history that the new timeline began with; the time from the log of this start, when it was the one. */
async function recoveryEnd(client: Client, log: string): Promise<Check> {
  const { rows } = await client.query<{ timeline: number; history: string | null }>(
    `SELECT timeline_id AS timeline,
            pg_read_file('pg_wal/' || upper(lpad(to_hex(timeline_id), 8, '0')) || '.history', 0, 1048576, true) AS history
       FROM pg_control_checkpoint()`,
  );
  const [row] = rows;
  const history = row?.history ?? undefined;
  const end = row === undefined || history === undefined ? undefined : parseRecoveryEnd(row.timeline, history);
  if (end === undefined)
    return {
      name: 'recovery',
      ok: false,
      detail: `timeline ${row?.timeline ?? '?'} has no history: nothing was recovered`,
    };
  const seen = lastTransactionTime(log);
  const newest = seen === undefined ? '' : `; the last transaction in it is of ${seen}`;
  return {
    name: 'recovery',
    ok: true,
    detail: `ended at ${end.lsn} (${end.reason}), now timeline ${end.timeline}${newest}`,
  };
}

/** A copied slot would hold back log for somebody who never comes. */
async function slots(client: Client): Promise<Check> {
  const { rows } = await client.query<{ slot_name: string }>('SELECT slot_name FROM pg_replication_slots');
  const named = rows.map(({ slot_name }) => slot_name).join(', ');
  return { name: 'no replication slots', ok: rows.length === 0, detail: rows.length === 0 ? 'none' : named };
}

/** Another C library or ICU sorts otherwise, and indexes on text then miss rows. Told, and found out by amcheck. */
async function collations(client: Client): Promise<Check> {
  const { rows } = await client.query<{ datname: string; was: string; now: string }>(
    `SELECT datname, datcollversion AS was, pg_database_collation_actual_version(oid) AS now FROM pg_database
      WHERE datallowconn AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) ORDER BY 1`,
  );
  const differ = rows.map(({ datname, was, now }) => `${datname} was built under ${was}, here is ${now}`).join('; ');
  const advice = 'REINDEX these databases, then ALTER DATABASE … REFRESH COLLATION VERSION';
  return { name: 'collations', ok: true, detail: rows.length === 0 ? 'the same versions' : `${differ}: ${advice}` };
}

async function ownChecks(
  access: PostgresAccess,
  { checks, server }: PostgresBaseComponent,
  databases: readonly string[],
  signal: AbortSignal,
): Promise<Check[]> {
  const names = [...new Set([...checks.requiredTables, ...Object.keys(checks.minimumRows)])];
  const requiredTables = names.map((name) => ({ ...parseTableName(name), rows: checks.minimumRows[name] ?? 0 }));
  const own = { requiredTables, databases: databases.map((database) => ({ name: database, database })) };
  const found = await checkRequired(access, own, signal);
  const others = databases.filter((name) => name !== server.maintenanceDatabase);
  const usual = (others.length === 1 ? others[0] : undefined) ?? server.maintenanceDatabase;
  for (const { name, sql, database = usual } of checks.assertions) {
    found.push(await checkAssertion(access, { name, sql }, { database, searchPath: undefined }, signal));
  }
  return found;
}
