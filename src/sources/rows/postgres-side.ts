/** The separate database that tables of a backup are restored into, on the server whose rows they are. */
import { escapeIdentifier as id, escapeLiteral, type Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { nameParts } from '../../policy/sql-condition.ts';
import type { PostgresAccess, ToolRun } from '../../postgres/types.ts';
import type { KindContext } from '../kinds/component.ts';
import { pgTable } from './postgres-tables.ts';
import { tableName, type Leaf, type Section, type TableSource } from './table-source.ts';

/** NAMEDATALEN - 1. */
const LONGEST_NAME_BYTES = 63;

/** `app__rows_0a1b2c3d4e5f`: the same for the same run. */
export function sideName(database: string, rowsId: string): string {
  const suffix = `__rows_${rowsId
    .replaceAll(/[^0-9A-Za-z]/g, '')
    .slice(0, 12)
    .toLowerCase()}`;
  let name = database;
  while (Buffer.byteLength(name + suffix) > LONGEST_NAME_BYTES) name = name.slice(0, -1);
  return name + suffix;
}

export interface SideOrder {
  readonly access: PostgresAccess;
  /** The live database. */
  readonly database: string;
  readonly side: string;
  readonly source: TableSource;
  readonly tables: readonly string[];
  readonly context: KindContext;
}

export async function dropSide(access: PostgresAccess, side: string, signal: AbortSignal): Promise<void> {
  const { versionNumber } = await access.facts(signal);
  await access.withClient({ signal }, async (client) => {
    if (versionNumber < 130_000) {
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [side]);
    }
    await client.query(`DROP DATABASE IF EXISTS ${id(side)}${versionNumber < 130_000 ? '' : ' WITH (FORCE)'}`);
  });
}

/**
 * Makes the database anew, closed to others, with everything that the tables may need (schemas, types, functions), and
 * the rows of these tables alone. What else can't be made there, such as an extension that only a superuser may make, is
 * no matter as long as the tables are. Returns the number of rows.
 */
export async function makeSide(order: SideOrder): Promise<number> {
  const { access, side } = order;
  const { signal } = order.context;
  const refused = await makeSchema(order, ['pre-data'], PLAIN);
  const leaves = await access.withClient({ database: side, signal }, (client) =>
    leavesOf(client, order.tables, refused),
  );
  const named = leaves.flatMap(({ schema, name }) => [`--schema=${schema}`, `--table=${name}`]);
  await restore(order, ['data'], leaves, ['--exit-on-error', ...PLAIN, ...new Set(named)]);
  return access.withClient({ database: side, signal }, (client) => compareCounts(client, order, leaves));
}

/** Makes the database anew with these sections of everything. Returns what was refused of it. */
export async function makeSchema(
  order: SideOrder,
  sections: readonly Section[],
  options: readonly string[],
): Promise<HoldfastError | undefined> {
  await createSide(order);
  if (order.source.onlyTables !== undefined) await borrowTypes(order, order.source.onlyTables);
  return tolerantly(() => restore(order, sections, 'all', options));
}

export const PLAIN = ['--no-owner', '--no-privileges', '--no-comments', '--no-publications', '--no-subscriptions'];

/** Like the live one, so that a condition sorts and compares as it does there. */
async function createSide({ access, database, side, context }: SideOrder): Promise<void> {
  const { signal } = context;
  await dropSide(access, side, signal);
  await access.withClient({ signal }, async (client) => {
    const { rows } = await client.query<{ encoding: string; collate: string; ctype: string }>(
      `SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype
         FROM pg_database WHERE datname = $1`,
      [database],
    );
    const [live] = rows;
    if (live === undefined) {
      throw new HoldfastError('SourceMissing', `there is no live database ${database} to put rows back into`, {
        hint: 'Restore the whole component with `holdfast restore`.',
      });
    }
    await client.query(
      `CREATE DATABASE ${id(side)} TEMPLATE template0 ENCODING ${escapeLiteral(live.encoding)}
         LC_COLLATE ${escapeLiteral(live.collate)} LC_CTYPE ${escapeLiteral(live.ctype)}`,
    );
    await client.query(`REVOKE ALL ON DATABASE ${id(side)} FROM PUBLIC`);
  });
}

/** A dump of tables names schemas, extensions and types that it does not hold: the live database has them. */
async function borrowTypes({ access, database, side, context }: SideOrder, tables: readonly Leaf[]): Promise<void> {
  const { signal } = context;
  const without = tables.map((table) => `--exclude-table=${tableName(table)}`);
  const args = ['--schema-only', '--section=pre-data', '--format=custom', ...PLAIN, ...without];
  const live = await access.run('pg_dump', args, { signal, database });
  await tolerantly(() => feed(access, side, ['--section=pre-data', ...PLAIN], live.stdout, signal));
  await live.done;
}

/** What is not there in the end is found by what is asked of it: tables, columns, numbers of rows. */
async function tolerantly(work: () => Promise<void>): Promise<HoldfastError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (error.code !== 'PostgresToolFailed' && error.code !== 'PostgresDenied') throw error;
    return error;
  }
}

async function restore(
  { access, side, source, context }: SideOrder,
  sections: readonly Section[],
  tables: readonly Leaf[] | 'all',
  options: readonly string[],
): Promise<void> {
  const args = [...sections.map((section) => `--section=${section}`), ...options];
  await feed(access, side, args, source.archive(sections, tables, context), context.signal);
}

async function feed(
  access: PostgresAccess,
  database: string,
  args: readonly string[],
  stdin: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await ended(await access.run('pg_restore', [...args, target(database)], { signal, database, stdin }));
}

/** It prints nothing, but its output has to be read to the end. */
async function ended({ stdout, done }: ToolRun): Promise<void> {
  const printed = stdout[Symbol.asyncIterator]();
  while ((await printed.next()).done !== true);
  await done;
}

/** As a connection string, because a name may have `=` in it (PostgreSQL documentation, "Connection Strings"). */
function target(database: string): string {
  return `--dbname=dbname='${database.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`;
}

/** The tables themselves, or the partitions that hold their rows. Throws BadInput for a table that is not in the backup. */
async function leavesOf(
  client: Client,
  tables: readonly string[],
  refused: HoldfastError | undefined,
): Promise<Leaf[]> {
  const leaves: Leaf[] = [];
  for (const asked of tables) {
    const table = await pgTable(client, asked);
    if (table === undefined) {
      const why = refused === undefined ? '' : `, or it could not be made: ${refused.message}`;
      throw new HoldfastError('BadInput', `the backup has no table ${nameParts(asked).join('.')}${why}`);
    }
    const { rows } = await client.query<Leaf>(
      `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid IN (SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf) OR ($2 AND c.oid = $1)`,
      [table.oid, !table.partitioned],
    );
    leaves.push(...rows);
  }
  return leaves;
}

/** A dump ends early in silence when its tables are other ones than is known of them. */
async function compareCounts(client: Client, { source, context }: SideOrder, leaves: readonly Leaf[]): Promise<number> {
  let total = 0;
  for (const leaf of leaves) {
    const { rows } = await client.query<{ n: string }>(`SELECT count(*)::text AS n FROM ONLY ${tableName(leaf)}`);
    const found = Number(rows[0]?.n ?? 0);
    const captured = await source.rowsOf(leaf, context.signal);
    if (captured !== undefined && captured !== found) {
      const { schema, name } = leaf;
      throw new HoldfastError('CheckFailed', `${schema}.${name} came back with ${found} rows of ${captured} captured`);
    }
    total += found;
  }
  return total;
}
