/**
 * Rows of several backups made one, in the separate database: what is not valid goes, what only older backups have comes.
 * Conditions are run in connections that can't write; nothing live is written to.
 */
import { escapeIdentifier as id, type Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { copyIn, copyOut } from '../../postgres/copy.ts';
import type { RowsMerged } from '../../workflows/rows-contract.ts';
import { fromTable, pgTable, sqlName, textName, type KeyColumn, type PgTable } from './postgres-tables.ts';

export interface PgMerge {
  readonly table: string;
  readonly valid?: string;
}

type Counts = Omit<RowsMerged, 'backup' | 'pointAt'>;

/** A table of the separate database, and the key by which its rows are the same: that of the live one. */
interface Target {
  readonly asked: PgMerge;
  readonly side: PgTable;
  readonly key: readonly KeyColumn[];
}

export async function targetsOf(side: Client, live: Client, tables: readonly PgMerge[]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const asked of tables) {
    const there = await pgTable(side, asked.table);
    const here = await pgTable(live, asked.table);
    if (there === undefined) throw new HoldfastError('BadInput', `the newest backup has no table ${asked.table}`);
    if (here === undefined || here.partitioned || there.partitioned) {
      throw new HoldfastError('BadInput', `${textName(there)} is gone or partitioned: its rows can't be merged`, {
        hint: 'Put its rows back from one backup.',
      });
    }
    const never = new Set(here.columns.filter(({ notNull }) => notNull).map(({ name }) => name));
    const found = here.uniques.find(({ columns }) => columns.every(({ column }) => never.has(column)));
    if (found === undefined) {
      throw new HoldfastError(
        'BadInput',
        `${textName(here)} has no key that is never empty: its rows can't be merged`,
        {
          hint: 'Put its rows back from one backup.',
        },
      );
    }
    targets.push({ asked, side: there, key: found.columns });
  }
  return targets;
}

/** `reader` and `writer` are two connections to the separate database. */
export async function cleanTables(reader: Client, writer: Client, targets: readonly Target[]): Promise<Counts[]> {
  const counts: Counts[] = [];
  for (const { asked, side } of targets) {
    const { valid } = asked;
    let invalid = 0;
    if (valid !== undefined) {
      await writer.query('CREATE TEMP TABLE holdfast_invalid (c tid)');
      const source = `SELECT ctid FROM ${fromTable(side)} WHERE ((${valid}\n)) IS NOT TRUE`;
      invalid = await carried(reader, writer, side, source, 'pg_temp.holdfast_invalid (c)');
      await writer.query(`DELETE FROM ${fromTable(side)} AS t USING pg_temp.holdfast_invalid AS i WHERE t.ctid = i.c`);
      await writer.query('DROP TABLE pg_temp.holdfast_invalid');
    }
    const { rows } = await writer.query<{ n: string }>(`SELECT count(*)::text AS n FROM ${fromTable(side)}`);
    counts.push({ table: textName(side), taken: Number(rows[0]?.n ?? 0), invalid, differs: 0 });
  }
  return counts;
}

/** `older` is connected to the separate database of an older backup. */
export async function addOlder(older: Client, writer: Client, targets: readonly Target[]): Promise<Counts[]> {
  const counts: Counts[] = [];
  for (const { asked, side, key } of targets) {
    const there = await pgTable(older, asked.table);
    const columns = (there?.columns ?? [])
      .filter(({ name, generated }) => !generated && side.columns.some((own) => own.name === name && !own.generated))
      .map(({ name }) => name);
    const nothing = { table: textName(side), taken: 0, invalid: 0, differs: 0 };
    if (there === undefined || !key.every(({ column }) => columns.includes(column))) {
      counts.push(nothing);
      continue;
    }
    const list = columns.map(id).join(', ');
    await writer.query(`CREATE TEMP TABLE holdfast_older AS SELECT ${list} FROM ${fromTable(side)} WITH NO DATA`);
    const valid = asked.valid === undefined ? '' : ` WHERE ((${asked.valid}\n)) IS TRUE`;
    const from = fromTable(there);
    const all = await older.query<{ n: string }>(`SELECT count(*)::text AS n FROM ${from}`);
    const good = await carried(
      older,
      writer,
      there,
      `SELECT ${list} FROM ${from}${valid}`,
      `pg_temp.holdfast_older (${list})`,
    );
    const same = sameKeys(key, 't', 'o');
    const differing = columns
      .map((column) => `t.${id(column)}::text IS DISTINCT FROM o.${id(column)}::text`)
      .join(' OR ');
    const { rows } = await writer.query<{ n: string }>(
      `SELECT count(*)::text AS n FROM pg_temp.holdfast_older AS o JOIN ${fromTable(side)} AS t ON ${same} WHERE ${differing}`,
    );
    const added = await writer.query(
      `INSERT INTO ${sqlName(side)} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM pg_temp.holdfast_older AS o
        WHERE NOT EXISTS (SELECT FROM ${fromTable(side)} AS t WHERE ${same})`,
    );
    await writer.query('DROP TABLE pg_temp.holdfast_older');
    const invalid = Number(all.rows[0]?.n ?? 0) - good;
    counts.push({ ...nothing, taken: added.rowCount ?? 0, invalid, differs: Number(rows[0]?.n ?? 0) });
  }
  return counts;
}

/** What is valid in the live database is newer than any backup: it is not put back, and not replaced. */
export async function dropValidLive(live: Client, writer: Client, targets: readonly Target[]): Promise<void> {
  for (const { asked, side, key } of targets) {
    if (asked.valid === undefined) continue;
    const here = await pgTable(live, asked.table);
    if (here === undefined) continue;
    const list = key.map(({ column }) => id(column)).join(', ');
    await writer.query(`CREATE TEMP TABLE holdfast_live AS SELECT ${list} FROM ${fromTable(side)} WITH NO DATA`);
    const source = `SELECT ${list} FROM ${fromTable(here)} WHERE ((${asked.valid}\n)) IS TRUE`;
    await carried(live, writer, here, source, `pg_temp.holdfast_live (${list})`);
    const same = sameKeys(key, 't', 'o');
    await writer.query(`DELETE FROM ${fromTable(side)} AS t USING pg_temp.holdfast_live AS o WHERE ${same}`);
    await writer.query('DROP TABLE pg_temp.holdfast_live');
  }
}

function sameKeys(key: readonly KeyColumn[], one: string, other: string): string {
  return key.map(({ column, equals }) => `${one}.${id(column)} ${equals} ${other}.${id(column)}`).join(' AND ');
}

/** By COPY in text, out of a transaction that can't write. Returns the number of rows. */
async function carried(from: Client, to: Client, table: PgTable, source: string, into: string): Promise<number> {
  await from.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    // An operator names tables and functions as he is used to.
    await from.query(`SET LOCAL search_path = ${[...new Set([table.schema, 'public'])].map(id).join(', ')}`);
    await from.query('SAVEPOINT condition');
    await mustBeTaken(from, source, table);
    return await copyIn(to, `COPY ${into} FROM STDIN`, copyOut(from, `COPY (${source}) TO STDOUT`));
  } finally {
    await from.query('ROLLBACK').catch(() => undefined);
  }
}

/** Errors of the text itself (SQLSTATE class 42 and 22), and of a function that would write (25006). */
async function mustBeTaken(client: Client, source: string, table: PgTable): Promise<void> {
  try {
    await client.query(`SELECT count(*) FROM (${source}) AS selected`);
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (!/^(42|22|25006)/.test(code) || !(error instanceof Error)) throw error;
    throw new HoldfastError(
      'BadInput',
      `PostgreSQL does not take what is to be valid of ${textName(table)}: ${error.message}`,
    );
  }
}
