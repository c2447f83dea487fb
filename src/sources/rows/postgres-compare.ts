/**
 * Rows of a restored database beside the live ones. They travel by COPY from the one database into temporary tables of
 * the other, where they are compared; conditions are run in the restored database only, and read-only in both.
 */
import { escapeIdentifier as id, type Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { copyIn, copyOut } from '../../postgres/copy.ts';
import type { RowsTable } from '../../workflows/rows-contract.ts';
import type { Creation } from './postgres-create.ts';
import { fromTable, pgTable, sqlName, textName, type KeyColumn, type PgTable } from './postgres-tables.ts';

export interface PgAsked {
  readonly table: string;
  readonly where?: string;
}

export interface PgMeeting {
  readonly index: number;
  readonly side: PgTable;
  /** Of a table that is gone: as it was in the backup. */
  readonly live: PgTable;
  /** How the table is made again that is gone. */
  readonly gone?: Creation;
  /** In both, and writable. */
  readonly columns: readonly string[];
  readonly matchedBy: RowsTable['matchedBy'];
  readonly key: readonly KeyColumn[];
  /** The temporary table: the columns, and beside them `holdfast_n`, `_class`, `_cols`, `_why`. */
  readonly rows: string;
}

export type OnChanged = 'keep' | 'restore';

/** Loads the rows that are meant into temporary tables of the live connection. Throws BadInput. */
export async function meetTables(
  side: Client,
  live: Client,
  question: {
    readonly tables: readonly PgAsked[];
    readonly creation?: Creation;
    readonly onRows: (rows: number) => void;
  },
): Promise<PgMeeting[]> {
  const meetings: PgMeeting[] = [];
  await side.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  for (const [index, { table, where }] of question.tables.entries()) {
    const base = await pair(side, live, table, index, question.creation);
    await makeTemporary(live, base);
    question.onRows(await transfer(side, live, base, where));
    await live.query(`ANALYZE ${base.rows}`);
    meetings.push({ ...base, ...(await keyOf(live, base)) });
  }
  await side.query('COMMIT');
  return meetings;
}

type Pair = Omit<PgMeeting, 'matchedBy' | 'key'>;

async function pair(side: Client, live: Client, table: string, index: number, creation?: Creation): Promise<Pair> {
  const there = await pgTable(side, table);
  if (there === undefined) throw new HoldfastError('BadInput', `the backup has no table ${table}`);
  const here = await pgTable(live, table);
  if (here === undefined && creation?.tables.includes(sqlName(there)) === true) {
    const columns = there.columns.filter(({ generated }) => !generated).map(({ name }) => name);
    return { index, side: there, live: there, gone: creation, columns, rows: `pg_temp.holdfast_rows_${index}` };
  }
  if (here === undefined) {
    throw new HoldfastError('BadInput', `${textName(there)} is not in the live database any more: rows need a table`, {
      hint: 'Make the table again, for example out of the separate database that --keep-copy leaves; then put its rows back.',
    });
  }
  const writable = (one: PgTable): string[] =>
    one.columns.filter(({ generated }) => !generated).map(({ name }) => name);
  const columns = writable(here).filter((column) => there.columns.some(({ name }) => name === column));
  if (columns.length === 0)
    throw new HoldfastError('BadInput', `${textName(here)} has no column in common with the backup`);
  return { index, side: there, live: here, columns, rows: `pg_temp.holdfast_rows_${index}` };
}

async function makeTemporary(live: Client, { live: table, gone, columns, rows }: Pair): Promise<void> {
  const plain = rows.slice('pg_temp.'.length);
  if (gone === undefined) {
    const source = `SELECT ${columns.map(id).join(', ')} FROM ${fromTable(table)} WITH NO DATA`;
    await live.query(`CREATE TEMP TABLE ${plain} AS ${source}`);
  } else {
    const written = table.columns.filter(({ name }) => columns.includes(name));
    await live.query(
      `CREATE TEMP TABLE ${plain} (${written.map(({ name, type }) => `${id(name)} ${type}`).join(', ')})`,
    );
  }
  await live.query(
    `ALTER TABLE ${rows} ADD COLUMN holdfast_n bigint GENERATED ALWAYS AS IDENTITY, ADD COLUMN holdfast_class text NOT NULL DEFAULT 'missing',
       ADD COLUMN holdfast_cols text, ADD COLUMN holdfast_why int`,
  );
}

/** In text, which both databases read alike: numbers of types differ between them. */
async function transfer(side: Client, live: Client, pair: Pair, where: string | undefined): Promise<number> {
  const columns = pair.columns.map(id).join(', ');
  const condition = where === undefined ? '' : ` WHERE (${where}\n)`;
  // An operator names tables and functions as he is used to.
  await side.query(`SET LOCAL search_path = ${[...new Set([pair.side.schema, 'public'])].map(id).join(', ')}`);
  const source = `SELECT ${columns} FROM ${fromTable(pair.side)}${condition}`;
  if (where !== undefined) await mustBeExpression(side, source, pair);
  try {
    return await copyIn(live, `COPY ${pair.rows} (${columns}) FROM STDIN`, copyOut(side, `COPY (${source}) TO STDOUT`));
  } finally {
    await side.query('SET LOCAL search_path = pg_catalog').catch(() => undefined);
  }
}

/** Errors of the text itself (SQLSTATE class 42), and of a function that would write (25006). */
async function mustBeExpression(side: Client, source: string, pair: Pair): Promise<void> {
  await side.query('SAVEPOINT condition');
  try {
    await side.query(`SELECT count(*) FROM (${source}) AS selected`);
  } catch (error) {
    const { code = '' } = error as { code?: string };
    if (!/^(42|22|25006)/.test(code) || !(error instanceof Error)) throw error;
    throw new HoldfastError(
      'BadInput',
      `PostgreSQL does not take the condition on ${textName(pair.live)}: ${error.message}`,
    );
  }
  await side.query('RELEASE SAVEPOINT condition');
}

/** The first key that tells every row of the backup from the others and is never NULL. */
async function keyOf(
  live: Client,
  { live: table, columns, rows }: Pair,
): Promise<Pick<PgMeeting, 'matchedBy' | 'key'>> {
  const never = new Set(table.columns.filter(({ notNull }) => notNull).map(({ name }) => name));
  for (const { primary, columns: key } of table.uniques) {
    if (!key.every(({ column }) => never.has(column) && columns.includes(column))) continue;
    const names = key.map(({ column }) => id(column)).join(', ');
    const nulls = key.map(({ column }) => `${id(column)} IS NULL`).join(' OR ');
    const { rows: found } = await live.query(
      `(SELECT 1 FROM ${rows} WHERE ${nulls} LIMIT 1) UNION ALL (SELECT 1 FROM ${rows} GROUP BY ${names} HAVING count(*) > 1 LIMIT 1)`,
    );
    if (found.length === 0) return { matchedBy: primary ? 'primary key' : 'unique key', key };
  }
  return { matchedBy: 'whole row', key: [] };
}

export function sameKey({ key }: Pick<PgMeeting, 'key'>, live = 'l', row = 'r'): string {
  return key.map(({ column, equals }) => `${live}.${id(column)} ${equals} ${row}.${id(column)}`).join(' AND ');
}

/** By their text: types without an equality of their own, and 1.0 beside 1.00. */
function differs(column: string): string {
  return `l.${id(column)}::text IS DISTINCT FROM r.${id(column)}::text`;
}

export function wordsOf(classes: readonly string[]): string {
  return classes.map((word) => `'${word}'`).join(', ');
}

/** Sets the class of all rows, or of those that have one of `only` at present. */
export async function classify(client: Client, meeting: PgMeeting, only?: readonly string[]): Promise<void> {
  const { rows, live, columns, matchedBy } = meeting;
  const limit = only === undefined ? 'true' : `r.holdfast_class IN (${wordsOf(only)})`;
  // They all begin as missing, which they stay as long as there is no table to compare with.
  if (meeting.gone !== undefined && only === undefined) return;
  if (matchedBy === 'whole row') {
    await classifyWhole(client, meeting, limit);
    return;
  }
  const cols = columns.map((column, index) => `CASE WHEN ${differs(column)} THEN ',${index}' ELSE '' END`).join(' || ');
  if (only !== undefined) {
    await client.query(
      `UPDATE ${rows} r SET holdfast_class = 'missing', holdfast_cols = NULL WHERE ${limit}
         AND NOT EXISTS (SELECT FROM ${fromTable(live)} l WHERE ${sameKey(meeting)})`,
    );
  }
  await client.query(
    `WITH x AS (SELECT r.holdfast_n, ${cols} AS cols FROM ${rows} r JOIN ${fromTable(live)} l ON ${sameKey(meeting)} WHERE ${limit})
     UPDATE ${rows} r SET holdfast_cols = x.cols, holdfast_class = CASE x.cols WHEN '' THEN 'same' ELSE 'changed' END
       FROM x WHERE x.holdfast_n = r.holdfast_n`,
  );
}

/** Without a key a row is there as often as an equal one is: what the backup has more of is missing. */
async function classifyWhole(client: Client, { rows, live, columns }: PgMeeting, limit: string): Promise<void> {
  const text = (alias: string): string => `ROW(${columns.map((column) => `${alias}.${id(column)}`).join(', ')})::text`;
  await client.query(
    `WITH there AS (SELECT ${text('l')} AS t, count(*) AS n FROM ${fromTable(live)} l GROUP BY 1),
          placed AS (SELECT r.holdfast_n, ${text('r')} AS t, row_number() OVER (PARTITION BY ${text('r')} ORDER BY r.holdfast_n) AS place FROM ${rows} r)
     UPDATE ${rows} r SET holdfast_class = CASE WHEN p.place > coalesce(c.n, 0) THEN 'missing' ELSE 'same' END
       FROM placed p LEFT JOIN there c ON c.t = p.t WHERE p.holdfast_n = r.holdfast_n AND ${limit}`,
  );
}

export function writtenClasses(onChanged: OnChanged): readonly string[] {
  return onChanged === 'restore' ? ['missing', 'changed'] : ['missing'];
}

export async function countOf(client: Client, { rows }: PgMeeting, classes: readonly string[]): Promise<number> {
  const { rows: found } = await client.query<{ n: string }>(
    `SELECT count(*)::text AS n FROM ${rows} WHERE holdfast_class IN (${wordsOf(classes)})`,
  );
  return Number(found[0]?.n ?? 0);
}

const AT_ONCE = 2000;

/** One JSON object a row, sorted by itself, so that the same rows give the same lines. */
export async function* keyLines(
  client: Client,
  meeting: PgMeeting,
  classes: readonly string[],
): AsyncGenerator<string> {
  const shown = meeting.key.length > 0 ? meeting.key.map(({ column }) => column) : meeting.columns;
  const name = `holdfast_lines_${meeting.index}`;
  await client.query(
    `DECLARE ${name} CURSOR FOR SELECT * FROM (
       SELECT holdfast_n AS n, holdfast_class AS what, holdfast_cols AS cols, holdfast_why AS why,
              ARRAY[${shown.map((column) => `${id(column)}::text`).join(', ')}] AS key
         FROM ${meeting.rows} WHERE holdfast_class IN (${wordsOf(classes)})) s
     ORDER BY key COLLATE "C", n`,
  );
  for (;;) {
    const { rows } = await client.query<{
      what: string;
      cols: string | null;
      why: number | null;
      key: (string | null)[];
    }>(`FETCH ${AT_ONCE} FROM ${name}`);
    for (const { what, cols, why, key: values } of rows) {
      const changed =
        what === 'changed'
          ? (cols ?? '')
              .split(',')
              .slice(1)
              .map((at) => meeting.columns[Number(at)])
          : undefined;
      const entries = Object.fromEntries(shown.map((column, at) => [column, values[at] ?? null]));
      yield `${JSON.stringify({ table: textName(meeting.live), what, key: entries, columns: changed, why: why ?? undefined })}\n`;
    }
    if (rows.length < AT_ONCE) break;
  }
  await client.query(`CLOSE ${name}`);
}
