/** The tables of a database: which there are, how many rows they have, and a checksum that no order of rows changes. */
import type { Client } from 'pg';
import { HoldfastError } from '../failures.ts';
import { quotedTable, tableText } from './table-names.ts';
import type { TableName } from './table-names.ts';

export interface LiveTable extends TableName {
  readonly oid: number;
  /** It holds no rows itself. */
  readonly partitioned: boolean;
  /** Of the table it is a partition of. */
  readonly parentOid: number | undefined;
}

/** How many tables one statement locks. */
const LOCK_BATCH = 200;
/** What a decoder puts in place of bytes that are no UTF-8: the name can't be written back. */
const UNDECODED = '�';

/**
 * Tables that a dump holds, sorted by schema and name: not PostgreSQL's own, not temporary ones, and not those that an
 * extension brings along. On a standby without unlogged ones, which have no content there.
 */
export async function listTables(client: Client): Promise<LiveTable[]> {
  const { rows } = await client.query<{
    oid: string;
    schema: string;
    name: string;
    kind: string;
    parent: string | null;
  }>(
    `SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
            (SELECT i.inhparent::int8::text FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition) AS parent
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
        AND n.nspname <> 'information_schema' AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
        AND NOT EXISTS (SELECT FROM pg_depend d
                         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      ORDER BY n.nspname, c.relname`,
  );
  return rows.map(({ oid, schema, name, kind, parent }) => ({
    oid: Number(oid),
    schema,
    name,
    partitioned: kind === 'p',
    parentOid: parent === null ? undefined : Number(parent),
  }));
}

/** Those that are named, with all their partitions. Throws SourceMissing, naming what is not there. */
export function selectTables(all: readonly LiveTable[], wanted: readonly TableName[]): LiveTable[] {
  const missing = wanted.filter((name) => !all.some((table) => tableText(table) === tableText(name)));
  if (missing.length > 0) {
    throw new HoldfastError('SourceMissing', `there is no table ${missing.map(tableText).join(', ')}`, {
      hint: 'Check `tables` in the system file; names are written as they are in the catalogue.',
    });
  }
  const chosen = new Set(
    all.filter((table) => wanted.some((name) => tableText(name) === tableText(table))).map(({ oid }) => oid),
  );
  for (let before = -1; before !== chosen.size;) {
    before = chosen.size;
    for (const { oid, parentOid } of all) if (parentOid !== undefined && chosen.has(parentOid)) chosen.add(oid);
  }
  return all.filter(({ oid }) => chosen.has(oid));
}

/** Keeps them as they are until the transaction ends, without waiting: PostgresLocked (55P03) when somebody is in line. */
export async function holdTables(client: Client, tables: readonly TableName[]): Promise<void> {
  const names = tables.filter(isWritable).map((table) => `ONLY ${quotedTable(table)}`);
  for (let at = 0; at < names.length; at += LOCK_BATCH) {
    await client.query(`LOCK TABLE ${names.slice(at, at + LOCK_BATCH).join(', ')} IN ACCESS SHARE MODE NOWAIT`);
  }
}

export interface Measured {
  readonly rows: number;
  /** Sum of a 64-bit hash of each row's text; decimal digits. Absent when only counted. */
  readonly checksum?: string;
}

/**
 * Of the table alone, without its partitions and children. The checksum is the sum of hashtextextended(row::text, 0),
 * bytewise: the same rows give the same sum in any order, on any server, in one encoding. The connection has to be one of
 * PostgresAccess, whose settings decide how values are written.
 */
export async function measureTable(client: Client, table: TableName, checksum: boolean): Promise<Measured> {
  const sum = checksum
    ? `, coalesce(sum(hashtextextended(ROW(measured.*)::text COLLATE pg_catalog."C", 0)), 0)::text AS checksum`
    : '';
  const { rows } = await client.query<{ rows: string; checksum?: string }>(
    `SELECT count(*)::text AS rows${sum} FROM ONLY ${quotedTable(table)} AS measured`,
  );
  const [row] = rows;
  if (row === undefined) throw new HoldfastError('PostgresRefused', `${tableText(table)} could not be counted`);
  return { rows: Number(row.rows), ...(row.checksum === undefined ? {} : { checksum: row.checksum }) };
}

/** False for a name in bytes that no client can write back (SQL_ASCII takes any): it is dumped, and not measured. */
export function isWritable({ schema, name }: TableName): boolean {
  return !schema.includes(UNDECODED) && !name.includes(UNDECODED);
}

/** Who keeps tables of this database from being read, in words; empty when nobody does (any more). */
export async function lockHolders(client: Client): Promise<string> {
  const { rows } = await client.query<{ relation: string; pid: number; who: string | null; app: string | null }>(
    `SELECT l.relation::regclass::text AS relation, a.pid, a.usename AS who, a.application_name AS app
       FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted AND l.relation >= 16384
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      ORDER BY a.pid, 1 LIMIT 5`,
  );
  return rows
    .map(({ relation, pid, who, app }) => {
      const program = app === null || app === '' ? '' : `, ${app}`;
      return `${relation} is locked by process ${pid} (${who ?? 'unknown role'}${program})`;
    })
    .join('; ');
}
