/** Where the tables of a backup come from: its dump, or a server that its base backup was recovered on. */
import { escapeIdentifier as id } from 'pg';
import type { ArtifactReader } from '../../part.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { KindContext } from '../kinds/component.ts';
import type { DatabaseFacts } from '../kinds/postgres-dump-facts.ts';

/** A table that holds rows itself. */
export interface Leaf {
  readonly schema: string;
  readonly name: string;
}

export type Section = 'pre-data' | 'data' | 'post-data';

export interface TableSource {
  /** In pg_dump's custom format: these sections at least, of these tables at least, or of all. */
  archive(
    sections: readonly Section[],
    tables: readonly Leaf[] | 'all',
    context: KindContext,
  ): AsyncIterable<Uint8Array>;
  /** The rows of the table alone; undefined when nobody counted them. */
  rowsOf(table: Leaf, signal: AbortSignal): Promise<number | undefined>;
  /** Of a backup of single tables: neither schemas nor types are in it. */
  readonly onlyTables?: readonly Leaf[];
}

/** The whole dump each time: pg_restore takes out of it what it wants. */
export function dumpSource(dump: ArtifactReader, { tables }: DatabaseFacts, tablesOnly: boolean): TableSource {
  return {
    archive: (_sections, _tables, context) =>
      counted(dump.read({ signal: context.signal }), context, { bytesTotal: dump.lengthBytes }),
    rowsOf: ({ schema, name }) =>
      Promise.resolve(tables.find((table) => table.schema === schema && table.name === name)?.rows),
    ...(tablesOnly ? { onlyTables: tables } : {}),
  };
}

/** Nobody else writes there, so that several runs of pg_dump see the same. */
export function serverSource(access: PostgresAccess, database: string): TableSource {
  return {
    async *archive(sections, tables, context) {
      const { signal } = context;
      const args = [
        '--format=custom',
        '--compress=0',
        ...sections.map((section) => `--section=${section}`),
        ...(tables === 'all' ? [] : tables.map((table) => `--table=${tableName(table)}`)),
      ];
      const run = await access.run('pg_dump', args, { signal, database });
      yield* counted(run.stdout, context);
      // An archive that ends early must not look like a whole one.
      await run.done;
    },
    rowsOf: (table, signal) =>
      access.withClient({ database, signal }, async (client) => {
        const { rows } = await client.query<{ n: string }>(`SELECT count(*)::text AS n FROM ONLY ${tableName(table)}`);
        return Number(rows[0]?.n ?? 0);
      }),
  };
}

/** For SQL, and for the patterns of pg_dump, in which quotes say that nothing is one. */
export function tableName({ schema, name }: Leaf): string {
  return `${id(schema)}.${id(name)}`;
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  { report }: KindContext,
  total: { readonly bytesTotal?: number } = {},
): AsyncGenerator<Uint8Array> {
  let bytesDone = 0;
  for await (const piece of bytes) {
    yield piece;
    bytesDone += piece.length;
    report({ phase: 'restore tables', bytesDone, ...total });
  }
}
