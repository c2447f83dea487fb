/** The databases of a server: which there are, how one is made like another was, how one of ours is dropped. */
import { escapeIdentifier, escapeLiteral, type Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresServer } from '../../system/types.ts';
import type { DatabaseFacts } from '../kinds/postgres-dump-facts.ts';

export interface DatabaseSeen {
  readonly oid: number;
  readonly name: string;
  readonly allowsConnections: boolean;
}

/** By name. */
export async function databasesOn(client: Client): Promise<Map<string, DatabaseSeen>> {
  const { rows } = await client.query<{ oid: string; name: string; allows: boolean }>(
    'SELECT oid::text AS oid, datname AS name, datallowconn AS allows FROM pg_database',
  );
  return new Map(rows.map(({ oid, name, allows }) => [name, { oid: Number(oid), name, allowsConnections: allows }]));
}

/** A database to connect to while these are renamed: nobody can rename the one he is connected to. */
export function adminDatabase(server: PostgresServer, renamed: readonly string[]): string {
  const candidates = [server.maintenanceDatabase, 'postgres', 'template1'];
  const found = candidates.find((name) => !renamed.includes(name));
  if (found !== undefined) return found;
  throw new HoldfastError('BadInput', `${candidates.join(', ')} can't all be restored at once`, {
    hint: 'Restore fewer databases at a time: name them with --path.',
  });
}

/** Where this role is allowed to: a superuser's database can only be given to him by another one. */
export async function giveToOwner(client: Client, database: string, owner: string): Promise<void> {
  const { rows } = await client.query<{ may: boolean | null }>(
    `SELECT (SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1) AS may`,
    [owner],
  );
  if (rows[0]?.may !== true) return;
  await client.query(`ALTER DATABASE ${escapeIdentifier(database)} OWNER TO ${escapeIdentifier(owner)}`);
}

/**
 * An empty database with the encoding and the collation of the one in the dump, closed to everybody but its owner and
 * superusers. Returns its number.
 */
export async function createDatabase(
  client: Client,
  name: string,
  facts: DatabaseFacts,
  serverVersion: number,
): Promise<number> {
  const id = escapeIdentifier(name);
  await client.query(`CREATE DATABASE ${id} TEMPLATE template0 ${localeOf(facts, serverVersion)}`);
  await client.query(`REVOKE CONNECT ON DATABASE ${id} FROM PUBLIC`);
  const seen = (await databasesOn(client)).get(name);
  if (seen === undefined) throw new HoldfastError('PostgresRefused', `database ${name} was made and is not there`);
  return seen.oid;
}

/** PostgreSQL documentation, CREATE DATABASE: providers since 15, `builtin` since 17. */
function localeOf(facts: DatabaseFacts, serverVersion: number): string {
  const libc = [
    `ENCODING ${escapeLiteral(facts.encoding)}`,
    `LC_COLLATE ${escapeLiteral(facts.collate)}`,
    `LC_CTYPE ${escapeLiteral(facts.ctype)}`,
  ];
  const own = facts.icuLocale ?? facts.collate;
  if (serverVersion < 150_000 || facts.localeProvider === 'libc') {
    return [...libc, ...(serverVersion < 150_000 ? [] : ['LOCALE_PROVIDER libc'])].join(' ');
  }
  const named = facts.localeProvider === 'icu' ? 'ICU_LOCALE' : 'BUILTIN_LOCALE';
  return [...libc, `LOCALE_PROVIDER ${facts.localeProvider}`, `${named} ${escapeLiteral(own)}`].join(' ');
}

/**
 * Drops the database of this name when it is the one of this number, or, with `undefined`, whatever it is. One that is
 * gone, or that has become another one, is left alone.
 */
export async function dropDatabase(
  access: PostgresAccess,
  name: string,
  oid: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const database = adminDatabase(access.server, [name]);
  const { versionNumber } = await access.facts(signal);
  await access.withClient({ database, signal }, async (client) => {
    const seen = (await databasesOn(client)).get(name);
    if (seen === undefined || (oid !== undefined && seen.oid !== oid)) return;
    await dropSubscriptions(access, client, seen, signal);
    if (versionNumber < 130_000) await disconnectAll(client, [name]);
    await client.query(`DROP DATABASE ${escapeIdentifier(name)}${versionNumber < 130_000 ? '' : ' WITH (FORCE)'}`);
  });
}

/** They hold a database, and a restored one has nothing at its publisher that would have to go with it. */
async function dropSubscriptions(
  access: PostgresAccess,
  client: Client,
  database: DatabaseSeen,
  signal: AbortSignal,
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT subname AS name FROM pg_subscription WHERE subdbid = $1',
    [database.oid],
  );
  if (rows.length === 0) return;
  await access.withClient({ database: database.name, signal }, async (inside) => {
    for (const { name } of rows) {
      const id = escapeIdentifier(name);
      await inside.query(`ALTER SUBSCRIPTION ${id} DISABLE`);
      await inside.query(`ALTER SUBSCRIPTION ${id} SET (slot_name = NONE)`);
      await inside.query(`DROP SUBSCRIPTION ${id}`);
    }
  });
}

/** Ends every session in these databases that this role may end. Returns those that are left, in words. */
export async function disconnectAll(client: Client, databases: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ pid: number; who: string }>(
    `SELECT pid, coalesce(nullif(application_name, ''), backend_type, 'a session') || ' of '
            || coalesce(usename, 'the server') || ' (process ' || pid || ')' AS who
     FROM pg_stat_activity WHERE datname = ANY($1) AND pid <> pg_backend_pid()`,
    [databases],
  );
  const left: string[] = [];
  for (const { pid, who } of rows) {
    // Another role's sessions may need a right that this one lacks; the rename that follows is the judge.
    const ended = await client.query('SELECT pg_terminate_backend($1)', [pid]).then(
      () => true,
      () => false,
    );
    if (!ended) left.push(who);
  }
  return left;
}
