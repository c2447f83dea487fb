/** A dump's bytes from the vault into a database that was made for them, without a file between. */
import { escapeIdentifier } from 'pg';
import type { ArtifactReader } from '../../part.ts';
import { HoldfastError } from '../../failures.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { DatabaseFacts } from '../kinds/postgres-dump-facts.ts';
import { whenSpent } from './spent.ts';

export interface LoadOptions {
  readonly database: string;
  /** Everything belongs to the role that restores, and grants are left out. */
  readonly plain: boolean;
  /** Everything lies where the database does. */
  readonly oneTablespace: boolean;
  /** Only some tables: what refers to others can't come back, which is told and no failure. */
  readonly tablesOnly: boolean;
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
}

/** Loads the dump and gathers statistics. Returns what could not come back, in words. */
export async function loadDump(
  access: PostgresAccess,
  dump: ArtifactReader,
  facts: DatabaseFacts,
  options: LoadOptions,
): Promise<string[]> {
  const { database, signal, tablesOnly } = options;
  const told: string[] = [];
  if (tablesOnly) {
    await prepareForTables(access, facts, options);
    await restore(access, dump, ['--section=pre-data', '--section=data', '--exit-on-error'], options);
    await restore(access, dump, ['--section=post-data'], options).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'PostgresToolFailed') throw error;
      told.push(`${database}: indexes or constraints that need other tables: ${error.message}`);
    });
  } else {
    await restore(access, dump, ['--exit-on-error'], options);
  }
  await access.withClient({ database, signal }, (client) => client.query('ANALYZE'));
  return told;
}

async function restore(
  access: PostgresAccess,
  dump: ArtifactReader,
  args: readonly string[],
  { database, plain, oneTablespace, signal, onBytes }: LoadOptions,
): Promise<void> {
  const own = plain ? ['--no-owner', '--no-privileges', '--no-subscriptions', '--no-publications'] : [];
  if (oneTablespace) own.push('--no-tablespaces');
  await access.text('pg_restore', [...args, ...own, `--dbname=dbname=${connectionValue(database)}`], {
    signal,
    database,
    stdin: counted(dump.read({ signal }), onBytes, whenSpent(access)),
  });
}

/** PostgreSQL documentation, "Connection Strings": a name with `=` in it would be taken for one. */
function connectionValue(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`;
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
  free: (bytes: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const each of bytes) {
    yield each;
    onBytes(each.length);
    free(each);
  }
}

/** A dump of tables has neither the schemas nor the extensions that they live in. */
async function prepareForTables(access: PostgresAccess, facts: DatabaseFacts, options: LoadOptions): Promise<void> {
  const { database, signal } = options;
  const schemas = [...new Set([...facts.tables, ...facts.extensions].map(({ schema }) => schema))];
  await access.withClient({ database, signal }, async (client) => {
    for (const schema of schemas.filter((name) => !name.startsWith('pg_'))) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${escapeIdentifier(schema)}`);
    }
    for (const { name, schema } of facts.extensions) {
      await client.query(`CREATE EXTENSION IF NOT EXISTS ${escapeIdentifier(name)} SCHEMA ${escapeIdentifier(schema)}`);
    }
  });
}
