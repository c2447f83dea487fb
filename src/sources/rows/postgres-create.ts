/** How a table that is gone is made again: its definition in the backup, as SQL, through a database without any rows. */
import type { PostgresAccess } from '../../postgres/types.ts';
import { readJson, removeDurably, writeJsonDurably } from '../durable.ts';
import { dropSide, makeSchema, PLAIN, type SideOrder } from './postgres-side.ts';
import { pgTable, sqlName } from './postgres-tables.ts';

export interface Creation {
  /** As for SQL. */
  readonly tables: readonly string[];
  /** The tables with their columns and sequences, owners and grants. */
  readonly before: string;
  /** Indexes, constraints and triggers, which come after the rows. */
  readonly after: string;
  /** What could not be made there, in the tool's words. */
  readonly refused?: string;
}

/**
 * Writes down how those of the tables are made that the live database lacks; nothing is written when it has them all.
 * Partitioned tables are left to the operator.
 */
export async function noteCreation(order: SideOrder, path: string): Promise<void> {
  const { access, database, side, tables, context } = order;
  const { signal } = context;
  await removeDurably(path);
  const gone: string[] = [];
  await access.withClient({ database, signal }, (live) =>
    access.withClient({ database: side, signal }, async (copy) => {
      for (const asked of tables) {
        const table = await pgTable(copy, asked);
        if (table === undefined || table.partitioned || (await pgTable(live, asked)) !== undefined) continue;
        gone.push(sqlName(table));
      }
    }),
  );
  if (gone.length > 0) await writeJsonDurably(path, await creationOf(order, gone));
}

async function creationOf(order: SideOrder, gone: readonly string[]): Promise<Creation> {
  const { access, context } = order;
  const { signal } = context;
  const empty = { ...order, side: order.side.replace('__rows_', '__make_') };
  try {
    const quiet = PLAIN.filter((option) => !['--no-owner', '--no-privileges'].includes(option));
    const refused = await makeSchema(empty, ['pre-data', 'post-data'], quiet);
    const section = (name: string): Promise<string> => {
      const args = ['--schema-only', `--section=${name}`, '--no-comments', ...gone.map((table) => `--table=${table}`)];
      return definition(access, args, empty.side, signal);
    };
    const found = { tables: gone, before: await section('pre-data'), after: await section('post-data') };
    return refused === undefined ? found : { ...found, refused: refused.message };
  } finally {
    await dropSide(access, empty.side, signal);
  }
}

/** Without what only psql understands (PostgreSQL release notes, August 2025: \restrict). */
async function definition(access: PostgresAccess, args: readonly string[], database: string, signal: AbortSignal) {
  const text = await access.text('pg_dump', args, { database, signal });
  return text.replaceAll(/^\\(?:un)?restrict .*$/gm, '');
}

export async function creation(path: string): Promise<Creation | undefined> {
  return (await readJson(path)) as Creation | undefined;
}
