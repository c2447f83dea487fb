/** A restored database put beside what was captured: tables, rows, large objects, indexes, the system file's own checks. */
import type { Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { isDamageFound, isFinalForQuery, postgresFailure } from '../../postgres/errors.ts';
import { oneStatement } from '../../postgres/one-statement.ts';
import { quotedTable, tableText } from '../../postgres/table-names.ts';
import { isWritable, listTables, measureTable } from '../../postgres/tables.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { CheckReport, KindProgress } from '../kinds/component.ts';
import type { DatabaseFacts } from '../kinds/postgres-dump-facts.ts';

type Check = CheckReport['checks'][number];

export interface CheckOptions {
  readonly facts: DatabaseFacts;
  /** The name that the restored database has now. */
  readonly database: string;
  readonly signal: AbortSignal;
  readonly report: (progress: KindProgress) => void;
}

const TOLD = 10;

/** Verdicts, in an order that a person reads. Throws when the server can't be asked. */
export async function checkDatabase(access: PostgresAccess, options: CheckOptions): Promise<Check[]> {
  const { facts, database, signal } = options;
  const about = (name: string): string => `${facts.name}: ${name}`;
  const checks = await access.withClient({ database, signal }, async (client) => [
    ...(await compareTables(client, options)),
    await largeObjects(client, facts),
    await indexes(client),
  ]);
  checks.push(await amcheck(access, options));
  return checks.map((check) => ({ ...check, name: about(check.name) }));
}

async function compareTables(client: Client, { facts, report, signal }: CheckOptions): Promise<Check[]> {
  const there = new Set((await listTables(client)).map(tableText));
  const missing = facts.tables.filter((table) => !there.has(tableText(table)));
  const compared = facts.tables.filter((table) => !missing.includes(table) && isWritable(table));
  const rowsDiffer: string[] = [];
  const contentDiffers: string[] = [];
  let rows = 0;
  let summed = 0;
  for (const [index, table] of compared.entries()) {
    if (table.rows === undefined) continue;
    signal.throwIfAborted();
    report({ phase: `compare ${facts.name}`, filesDone: index });
    const found = await measureTable(client, table, table.checksum !== undefined);
    rows += found.rows;
    if (found.rows !== table.rows) rowsDiffer.push(`${tableText(table)} (${found.rows} instead of ${table.rows})`);
    else if (found.checksum !== table.checksum) contentDiffers.push(tableText(table));
    if (table.checksum !== undefined) summed += 1;
  }
  const total = `${rows} rows in ${compared.length} tables`;
  return [
    verdict('tables', missing.map(tableText), `${facts.tables.length} tables, as captured`, 'missing'),
    verdict('rows', rowsDiffer, `${total}, as captured`, 'other numbers of rows in'),
    verdict('contents', contentDiffers, `checksums of ${summed} tables, as captured`, 'other contents in'),
  ];
}

async function largeObjects(client: Client, facts: DatabaseFacts): Promise<Check> {
  const { rows } = await client.query<{ count: string }>('SELECT count(*)::text AS count FROM pg_largeobject_metadata');
  const found = Number(rows[0]?.count);
  return { name: 'large objects', ok: found === facts.largeObjects, detail: `${found} of ${facts.largeObjects}` };
}

/** A dump has no invalid index: one that is there was not built to its end. */
async function indexes(client: Client): Promise<Check> {
  const { rows } = await client.query<{ name: string; valid: boolean; total: string }>(
    `SELECT i.indexrelid::regclass::text AS name, i.indisvalid AS valid, count(*) OVER ()::text AS total
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY i.indisvalid, 1`,
  );
  const invalid = rows.filter(({ valid }) => !valid).map(({ name }) => name);
  return verdict('indexes', invalid, `${rows.length} valid`, 'invalid');
}

function verdict(name: string, bad: readonly string[], good: string, words: string): Check {
  const more = bad.length > TOLD ? ` and ${bad.length - TOLD} more` : '';
  return {
    name,
    ok: bad.length === 0,
    detail: bad.length === 0 ? good : `${words} ${bad.slice(0, TOLD).join(', ')}${more}`,
  };
}

/**
 * Every row and every page of an index, by an extension that the database has for the time. Where it can't be had, the
 * answer says so and is no failure: the other checks have read every row.
 */
export async function amcheck(
  access: PostgresAccess,
  { database, signal }: Pick<CheckOptions, 'database' | 'signal'>,
): Promise<Check> {
  const name = 'heap and B-trees';
  const prepared = await withAmcheck(access, database, signal);
  if (prepared !== 'had' && prepared !== 'made') return { name, ok: true, detail: `not checked: ${prepared}` };
  try {
    const args = ['--heapallindexed', '--parent-check', `dbname='${quotedValue(database)}'`];
    const said = await access.text('pg_amcheck', args, { signal, database });
    return { name, ok: true, detail: said.trim() === '' ? 'pg_amcheck found nothing' : said.trim().slice(0, 300) };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    if (isDamageFound(error)) return { name, ok: false, detail: error.message };
    if (error.code === 'PostgresVersion' || error.code === 'PostgresDenied') {
      return { name, ok: true, detail: `not checked: ${error.message}` };
    }
    throw error;
  } finally {
    if (prepared === 'made') {
      await access.withClient({ database, signal }, (client) => client.query('DROP EXTENSION amcheck'));
    }
  }
}

/** `had`, `made`, or why there is none. */
async function withAmcheck(access: PostgresAccess, database: string, signal: AbortSignal): Promise<string> {
  return access.withClient({ database, signal }, async (client) => {
    const { rows } = await client.query("SELECT FROM pg_extension WHERE extname = 'amcheck'");
    if (rows.length > 0) return 'had';
    return client.query('CREATE EXTENSION amcheck SCHEMA pg_catalog').then(
      () => 'made',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  });
}

function quotedValue(text: string): string {
  return text.replaceAll(/['\\]/g, (character) => `\\${character}`);
}

/** Of the whole component: `databases` pairs names as captured with the names that the restored ones have now. */
export interface OwnChecks {
  readonly requiredTables: readonly { readonly schema: string; readonly name: string; readonly rows: number }[];
  readonly databases: readonly { readonly name: string; readonly database: string }[];
}

/** Required tables with their least numbers of rows, in whichever of the databases they are. */
export async function checkRequired(
  access: PostgresAccess,
  { requiredTables, databases }: OwnChecks,
  signal: AbortSignal,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const table of requiredTables) {
    const counts: number[] = [];
    for (const { database } of databases) {
      await access.withClient({ database, signal }, async (client) => {
        if (!(await listTables(client)).some((each) => tableText(each) === tableText(table))) return;
        const { rows } = await client.query<{ count: string }>(
          `SELECT count(*)::text AS count FROM ${quotedTable(table)}`,
        );
        counts.push(Number(rows[0]?.count));
      });
    }
    const most = Math.max(-1, ...counts);
    const found = most < 0 ? 'is in none of the databases' : `${most} rows, at least ${table.rows} wanted`;
    checks.push({ name: `table ${tableText(table)}`, ok: most >= table.rows, detail: found });
  }
  return checks;
}

/** One query of the system file, in a transaction that can't write. What the server says of it is a verdict; throws what passes. */
export async function checkAssertion(
  access: PostgresAccess,
  assertion: { readonly name: string; readonly sql: string },
  { database, searchPath }: { readonly database: string; readonly searchPath: string | undefined },
  signal: AbortSignal,
): Promise<Check> {
  return access.withClient({ database, signal }, async (client) => {
    await client.query('BEGIN READ ONLY');
    // People write names without a schema; the restored database has none of its own settings yet.
    await client.query("SELECT set_config('search_path', $1, true)", [searchPath ?? '"$user", public']);
    try {
      const { rows } = await client.query<unknown[]>({ ...oneStatement(assertion.sql), rowMode: 'array' });
      const value = rows[0]?.[0];
      const ok = rows.length === 1 && rows[0]?.length === 1 && value === true;
      return { name: assertion.name, ok, detail: ok ? 'true' : `answered ${said(rows)}` };
    } catch (error) {
      signal.throwIfAborted();
      const failure = postgresFailure(error, assertion.name);
      // A server that goes away in the middle says nothing of the copy.
      if (failure.waitingHelps && !isFinalForQuery(failure)) throw failure;
      return { name: assertion.name, ok: false, detail: error instanceof Error ? error.message : String(error) };
    }
  });
}

/** Never the data itself, but what it looks like. */
function said(rows: readonly unknown[][]): string {
  const [first] = rows;
  if (first === undefined) return 'no row';
  if (rows.length > 1 || first.length !== 1) return `${rows.length} rows of ${first.length} values`;
  const value: unknown = first[0];
  return typeof value === 'boolean' || value === null ? String(value) : `a ${typeof value} instead of true or false`;
}
