/**
 * Databases change names: the live one steps aside and the restored one takes its name, all of them in one transaction,
 * so that a crash leaves every name with the old or every name with the new. What is done is read from the server itself
 * by the databases' numbers, so that every call may be repeated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { escapeIdentifier, type Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { postgresFailure } from '../../postgres/errors.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import { fittingProperties, propertiesOf, propertyStatements } from './database-properties.ts';
import type { DatabaseProperties } from './database-properties.ts';
import type { RestoredDatabase } from './restore-record.ts';
import { adminDatabase, databasesOn, disconnectAll, type DatabaseSeen } from './server-databases.ts';

/** New sessions are shut out by then; the old ones are ended again and again. */
const DRAIN_LIMIT_MS = 60_000;
const DRAIN_EVERY_MS = 250;
/** A database or a role that somebody else is using or changing (PostgreSQL documentation, appendix A). */
const BUSY = new Set(['55006', '40001', '40P01', 'XX000']);

type Seen = ReadonlyMap<string, DatabaseSeen>;

/** Every live name stands for the restored database. Pure. */
export function isSwapped(databases: readonly RestoredDatabase[], seen: Seen): boolean {
  return databases.every(({ live, newOid }) => newOid !== null && seen.get(live)?.oid === newOid);
}

/** Every live name stands for what it stood for when the swap began. Pure. */
export function isUntouched(databases: readonly RestoredDatabase[], seen: Seen): boolean {
  return databases.every(({ live, oldOid }) => (seen.get(live)?.oid ?? null) === oldOid);
}

/** Numbers of what is live now, to be written down before the first step. */
export async function withOldNumbers(
  access: PostgresAccess,
  databases: readonly RestoredDatabase[],
  signal: AbortSignal,
): Promise<RestoredDatabase[]> {
  const seen = await access.withClient({ signal }, databasesOn);
  return databases.map((database) => ({ ...database, oldOid: seen.get(database.live)?.oid ?? null }));
}

/**
 * The live names stand for the restored databases, which have the owners, grants, settings and comments of those they
 * replace; those are kept under their names aside. Repeatable. Throws VolumeInUse when somebody stays connected,
 * PlanChanged when a name has come to stand for something else.
 */
export async function swapDatabases(
  access: PostgresAccess,
  databases: readonly RestoredDatabase[],
  signal: AbortSignal,
): Promise<void> {
  await onServer(access, databases, signal, async (client) => {
    const seen = await databasesOn(client);
    if (isSwapped(databases, seen)) return;
    if (!isUntouched(databases, seen)) throw strange(databases, 'somebody replaced what was live');
    for (const { beside, newOid } of databases) {
      if (seen.get(beside)?.oid !== newOid) throw strange(databases, `the restored copy ${beside} is gone`);
    }
    const statements: string[] = [];
    for (const one of databases) {
      const { live, beside, aside, oldOid } = one;
      const properties = await propertiesFor(client, one, oldOid);
      if (oldOid !== null) statements.push(rename(live, aside));
      statements.push(rename(beside, live));
      if (properties === undefined) statements.push(`GRANT CONNECT ON DATABASE ${escapeIdentifier(live)} TO PUBLIC`);
      else statements.push(...propertyStatements(live, properties));
    }
    await drained(client, access.server.maintenanceDatabase, databases.flatMap(namesIn), statements, signal);
  });
}

/** Of the live database; of the captured one when there is none. Undefined for a backup that did not tell them. */
async function propertiesFor(
  client: Client,
  { facts, newOid }: RestoredDatabase,
  oldOid: number | null,
): Promise<DatabaseProperties | undefined> {
  if (oldOid !== null) return propertiesOf(client, oldOid);
  const restored = newOid === null ? undefined : await propertiesOf(client, newOid);
  if (facts.properties === undefined || restored === undefined) return undefined;
  const { rows } = await client.query<{ name: string }>('SELECT rolname AS name FROM pg_roles');
  const roles = rows.map(({ name }) => name);
  return fittingProperties(facts.properties, roles, restored.owner);
}

/**
 * The reverse, also of a swap that was only begun: the live names stand for the old databases again, which take
 * connections as before; the restored ones lie beside. Repeatable.
 */
export async function swapDatabasesBack(
  access: PostgresAccess,
  databases: readonly RestoredDatabase[],
  signal: AbortSignal,
): Promise<void> {
  await onServer(access, databases, signal, async (client) => {
    const seen = await databasesOn(client);
    const open = databases.flatMap(({ live, oldOid }) => (oldOid === null ? [] : [allow(live, true)]));
    if (isUntouched(databases, seen)) {
      for (const statement of open) await client.query(statement);
      return;
    }
    if (!isSwapped(databases, seen)) throw strange(databases, 'some names stand for neither the old nor the new');
    const statements = databases.flatMap(({ live, beside, aside, oldOid }) => {
      if (oldOid !== null && seen.get(aside)?.oid !== oldOid) throw strange(databases, `${aside} is not the old one`);
      return [rename(live, beside), ...(oldOid === null ? [] : [rename(aside, live)])];
    });
    await drained(client, access.server.maintenanceDatabase, databases.flatMap(namesIn), statements, signal);
  });
}

/**
 * For a swap that nobody goes on with: what was shut to be renamed and still has its old name takes connections again. Where
 * the restored ones are live and were shut to be put back, that is brought to its end; else they are left alone.
 */
export async function reopenDatabases(
  access: PostgresAccess,
  databases: readonly RestoredDatabase[],
  signal: AbortSignal,
): Promise<void> {
  const seen = await access.withClient(
    { database: adminDatabase(access.server, databases.flatMap(namesIn)), signal },
    databasesOn,
  );
  const open = databases.some(({ live }) => seen.get(live)?.allowsConnections === true);
  if (isSwapped(databases, seen) && open) return;
  await swapDatabasesBack(access, databases, signal);
}

/** Gives a restored database the name that it was made for, as soon as nobody has it. Throws TargetNotEmpty. */
export async function renameRestored(
  access: PostgresAccess,
  { beside, newOid }: RestoredDatabase,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const database = adminDatabase(access.server, [beside, name]);
  await access.withClient({ database, signal }, async (client) => {
    const seen = await databasesOn(client);
    if (seen.get(name)?.oid === newOid) return;
    if (seen.has(name)) throw new HoldfastError('TargetNotEmpty', `there is a database ${name} on the server by now`);
    await drained(client, access.server.maintenanceDatabase, [beside], [rename(beside, name)], signal);
  });
}

async function onServer(
  access: PostgresAccess,
  databases: readonly RestoredDatabase[],
  signal: AbortSignal,
  work: (client: Client) => Promise<void>,
): Promise<void> {
  const database = adminDatabase(access.server, databases.flatMap(namesIn));
  await access.withClient({ database, signal }, work);
}

function namesIn({ live, beside, aside }: RestoredDatabase): string[] {
  return [live, beside, aside];
}

function rename(from: string, to: string): string {
  return `ALTER DATABASE ${escapeIdentifier(from)} RENAME TO ${escapeIdentifier(to)}`;
}

function allow(database: string, allowed: boolean): string {
  return `ALTER DATABASE ${escapeIdentifier(database)} ALLOW_CONNECTIONS ${allowed}`;
}

/** Shuts these databases, ends their sessions, and runs the statements in one transaction as soon as that is possible. */
async function drained(
  client: Client,
  maintenance: string,
  names: readonly string[],
  statements: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const seen = await databasesOn(client);
  const there = [...new Set(names)].filter((name) => seen.has(name));
  // The one that everybody connects to first has to stay open, or nobody could undo what a crash left half-done.
  const shut = there.filter((name) => name !== maintenance);
  for (const name of shut) await client.query(allow(name, false));
  // Under the names that they have before the renames; nobody sees it before all of it holds.
  const reopened = shut.map((name) => allow(name, true));
  const end = performance.now() + DRAIN_LIMIT_MS;
  for (;;) {
    signal.throwIfAborted();
    const left = await disconnectAll(client, there);
    try {
      await inTransaction(client, [...reopened, ...statements]);
      return;
    } catch (error) {
      if (!BUSY.has(sqlState(error)) || performance.now() > end) throw inUse(error, there, left);
    }
    await sleep(DRAIN_EVERY_MS, undefined, { signal });
  }
}

async function inTransaction(client: Client, statements: readonly string[]): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const statement of statements) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

function sqlState(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function inUse(error: unknown, names: readonly string[], left: readonly string[]): HoldfastError {
  if (sqlState(error) !== '55006') return postgresFailure(error, `rename ${names.join(', ')}`);
  const detail = error instanceof Error && 'detail' in error ? String(error.detail) : '';
  const who = left.length === 0 ? detail : left.join(', ');
  return new HoldfastError('VolumeInUse', `database ${names.join(', ')} is still in use: ${who}`, {
    cause: error,
    hint: 'Stop what uses the database, or name it in usedBy of the component.',
  });
}

function strange(databases: readonly RestoredDatabase[], what: string): HoldfastError {
  const names = databases.map(({ live }) => live).join(', ');
  return new HoldfastError('PlanChanged', `${names} can't be exchanged with what was restored: ${what}`);
}
