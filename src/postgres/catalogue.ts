/** What a server and its databases are, as a restore needs to know it. */
import type { Client } from 'pg';
import { HoldfastError } from '../failures.ts';

/** From this version on a database knows its locale's provider and version. */
const KNOWS_PROVIDER = 150_000;
/** From this version on the locale of ICU has another column. */
const LOCALE_RENAMED = 170_000;

/** Those that take connections, templates left out; sorted. */
export async function listDatabases(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname',
  );
  return rows.map(({ name }) => name);
}

export interface ExtensionDescription {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
}

export interface DatabaseDescription {
  readonly owner: string;
  readonly encoding: string;
  /** `libc`, `icu` or `builtin`; `libc` before PostgreSQL 15. */
  readonly localeProvider: string;
  readonly collate: string;
  readonly ctype: string;
  readonly icuLocale?: string;
  /** What the C library or ICU said when the database was made; absent where it has none. */
  readonly collationVersion?: string;
  /** What it says today; another one means that indexes over text may be out of order. */
  readonly actualCollationVersion?: string;
  /** On disk, now. */
  readonly sizeBytes: number;
  readonly extensions: readonly ExtensionDescription[];
  readonly largeObjects: number;
  /** Everybody who owns something in it, the database's owner included; sorted. */
  readonly owners: readonly string[];
  /** Further roles that something was granted to; sorted. */
  readonly grantees: readonly string[];
}

type Row = Record<
  'owner' | 'encoding' | 'provider' | 'collate' | 'ctype' | 'icu' | 'version' | 'actual' | 'size' | 'large',
  string | null
>;

/** Of the database that the client is connected to, in the client's transaction. */
export async function describeDatabase(client: Client, serverVersion: number): Promise<DatabaseDescription> {
  const versioned = serverVersion >= KNOWS_PROVIDER;
  const icu = serverVersion >= LOCALE_RENAMED ? 'datlocale' : versioned ? 'daticulocale' : 'NULL';
  const { rows } = await client.query<Row>(
    `SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding,
            ${versioned ? 'datlocprovider' : "'c'"}::text AS provider, datcollate AS collate, datctype AS ctype,
            ${icu} AS icu, ${versioned ? 'datcollversion' : 'NULL'} AS version,
            ${versioned ? 'pg_database_collation_actual_version(oid)' : 'NULL'} AS actual,
            pg_database_size(oid)::text AS size, (SELECT count(*)::text FROM pg_largeobject_metadata) AS large
       FROM pg_database WHERE datname = current_database()`,
  );
  const [row] = rows;
  if (row === undefined) throw new HoldfastError('PostgresRefused', 'the database does not know itself');
  const { rows: extensions } = await client.query<{ name: string; version: string; schema: string }>(
    `SELECT extname AS name, extversion AS version, nspname AS schema
       FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY extname`,
  );
  return {
    owner: row.owner ?? '',
    encoding: row.encoding ?? '',
    localeProvider: { c: 'libc', i: 'icu', b: 'builtin' }[row.provider ?? ''] ?? row.provider ?? '',
    collate: row.collate ?? '',
    ctype: row.ctype ?? '',
    ...(row.icu === null ? {} : { icuLocale: row.icu }),
    ...(row.version === null ? {} : { collationVersion: row.version }),
    ...(row.actual === null ? {} : { actualCollationVersion: row.actual }),
    sizeBytes: Number(row.size),
    extensions,
    largeObjects: Number(row.large),
    ...(await rolesOf(client)),
  };
}

/** The server's first superuser is in no dependency: owners are asked of the catalogues too. */
async function rolesOf(client: Client): Promise<{ owners: string[]; grantees: string[] }> {
  const { rows } = await client.query<{ role: string; owner: boolean }>(
    `WITH here AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()), named AS (
       SELECT refobjid AS role, deptype = 'o' AS owner FROM pg_shdepend, here
        WHERE refclassid = 'pg_authid'::regclass AND deptype IN ('o', 'a')
          AND (dbid = here.oid OR (dbid = 0 AND classid = 'pg_database'::regclass AND objid = here.oid))
       UNION SELECT datdba, true FROM here
       UNION SELECT c.relowner, true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       UNION SELECT p.proowner, true FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       UNION SELECT lomowner, true FROM pg_largeobject_metadata)
     SELECT r.rolname AS role, bool_or(owner) AS owner FROM named JOIN pg_roles r ON r.oid = named.role
      WHERE r.rolname !~ '^pg_' GROUP BY r.rolname ORDER BY r.rolname`,
  );
  return {
    owners: rows.filter(({ owner }) => owner).map(({ role }) => role),
    grantees: rows.filter(({ owner }) => !owner).map(({ role }) => role),
  };
}

/** Whether this role may read the hashes of passwords, which only the globals need. */
export async function readsPasswords(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may`,
  );
  return rows[0]?.may === true;
}
