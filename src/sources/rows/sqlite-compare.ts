/**
 * Rows of a backup beside the live ones, on one connection: `main` is the copy, `live` the database in use. What becomes
 * of each row is worked out in temporary tables, so that nothing here writes to either. Runs on the thread of a job.
 */
import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../failures.ts';
import { quoted, tableFacts, type TableFacts } from './sqlite-tables.ts';

export interface RowsAsked {
  readonly table: string;
  /** A single expression, as src/policy/sql-condition.ts lets through. */
  readonly where?: string;
}

export interface RowsQuestion {
  /** The separate database that the backup was restored into. */
  readonly copy: string;
  readonly live: string;
  readonly tables: readonly RowsAsked[];
  readonly onChanged: 'keep' | 'restore';
}

/** How a table of the backup meets the live one. */
export interface Meeting {
  readonly index: number;
  readonly asked: RowsAsked;
  readonly name: string;
  readonly copy: TableFacts;
  /** Undefined: the table is gone, and is made again. */
  readonly live: TableFacts | undefined;
  /** In both. */
  readonly columns: readonly string[];
  readonly matchedBy: 'primary key' | 'unique key' | 'whole row';
  readonly key: readonly string[];
  /** What finds a row of the copy again. */
  readonly source: readonly string[];
  /** The temporary table: n, the source, what becomes of the row (`class`), the columns that differ, why not. */
  readonly rows: string;
}

/** How long one call waits for a locked database; deadlines are made of several. */
export const BUSY_MS = 10_000;

/** Opens the copy, which nobody changes, with the live database beside it. */
export function openBoth(question: RowsQuestion, mode: 'ro' | 'rw'): DatabaseSync {
  const copy = pathToFileURL(question.copy);
  copy.searchParams.set('mode', 'ro');
  copy.searchParams.set('immutable', '1');
  const live = pathToFileURL(question.live);
  live.searchParams.set('mode', mode);
  // Read-only as a whole where nothing is to be written, whatever a condition may try.
  const database = new DatabaseSync(copy, { readOnly: mode === 'ro', timeout: BUSY_MS });
  try {
    database.prepare('ATTACH ? AS live').run(live.href);
    database.prepare('SELECT count(*) FROM live.sqlite_schema').get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Finds the tables, chooses their keys and selects the rows that are meant. Throws BadInput. */
export function meet(database: DatabaseSync, question: RowsQuestion): Meeting[] {
  return question.tables.map((asked, index) => {
    const copy = tableFacts(database, 'main', asked.table);
    if (copy === undefined) throw new HoldfastError('BadInput', `the backup has no table ${asked.table}`);
    const live = tableFacts(database, 'live', asked.table);
    const columns = copy.columns.filter((column) => live === undefined || live.columns.includes(column));
    if (columns.length === 0)
      throw new HoldfastError('BadInput', `${copy.name} has no column in common with the live table`);
    const source = sourceOf(copy);
    const rows = `temp.holdfast_rows_${index}`;
    select(database, asked, copy, source, rows);
    const base = { index, asked, name: copy.name, copy, live, columns, source, rows };
    return { ...base, ...keyOf(database, base) };
  });
}

/** The name under which SQLite shows a row's number, unless columns have taken all of them. */
function sourceOf(copy: TableFacts): readonly string[] {
  if (copy.withoutRowid) return copy.primaryKey;
  const taken = copy.columns.map((column) => column.toLowerCase());
  const free = ['rowid', '_rowid_', 'oid'].find((name) => !taken.includes(name));
  if (free === undefined)
    throw new HoldfastError(
      'BadInput',
      `${copy.name} has columns rowid, _rowid_ and oid: its rows can't be told apart`,
    );
  return [free];
}

function select(
  database: DatabaseSync,
  asked: RowsAsked,
  copy: TableFacts,
  source: readonly string[],
  rows: string,
): void {
  const table = quoted(copy.name);
  const sources = source.map((_, index) => `s${index}`);
  database.exec(
    `CREATE TEMP TABLE ${rows.slice('temp.'.length)} (n INTEGER PRIMARY KEY, ${sources.join(', ')}, class TEXT, cols TEXT, why INTEGER)`,
  );
  const columns = source.map((column) => `${table}.${quoted(column)}`).join(', ');
  const condition = asked.where === undefined ? '' : ` WHERE (${asked.where}\n)`;
  try {
    database
      .prepare(`INSERT INTO ${rows} (${sources.join(', ')}) SELECT ${columns} FROM main.${table}${condition}`)
      .run();
  } catch (error) {
    if (asked.where === undefined || !isSqlError(error)) throw error;
    throw new HoldfastError('BadInput', `SQLite does not take the condition on ${copy.name}: ${error.message}`);
  }
}

/** SQLITE_ERROR: the text is at fault, not the data. */
function isSqlError(error: unknown): error is Error {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 1;
}

type Unkeyed = Omit<Meeting, 'matchedBy' | 'key'>;

/** The first key that can tell every row: never NULL, and no two rows of the backup with the same. */
function keyOf(database: DatabaseSync, meeting: Unkeyed): Pick<Meeting, 'matchedBy' | 'key'> {
  const facts = meeting.live ?? meeting.copy;
  const candidates: readonly Pick<Meeting, 'matchedBy' | 'key'>[] = [
    { matchedBy: 'primary key', key: facts.primaryKey },
    ...facts.uniques.map(({ columns }) => ({ matchedBy: 'unique key', key: columns }) as const),
  ];
  const usable = candidates.find(
    ({ key }) =>
      key.length > 0 && key.every((column) => meeting.columns.includes(column)) && tells(database, meeting, key),
  );
  return usable ?? { matchedBy: 'whole row', key: [] };
}

function tells(database: DatabaseSync, meeting: Unkeyed, key: readonly string[]): boolean {
  const { copy, live, name } = meeting;
  const loose = (facts: TableFacts): readonly string[] => key.filter((column) => !facts.neverNull.has(column));
  const holdsNull = (side: string, columns: readonly string[]): boolean =>
    columns.length > 0 &&
    database
      .prepare(
        `SELECT 1 FROM ${side}.${quoted(name)} WHERE ${columns.map((column) => `${quoted(column)} IS NULL`).join(' OR ')} LIMIT 1`,
      )
      .get() !== undefined;
  if (holdsNull('main', loose(copy)) || (live !== undefined && holdsNull('live', loose(live)))) return false;
  const sets: readonly (readonly string[])[] = [copy.primaryKey, ...copy.uniques.map(({ columns }) => columns)];
  if (sets.some((set) => set.length > 0 && set.every((column) => key.includes(column)))) return true;
  const columns = key.map((column) => `b.${quoted(column)}`).join(', ');
  return (
    database.prepare(`SELECT 1 FROM ${chosen(meeting)} GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`).get() ===
    undefined
  );
}

/** `r` the noted row, `b` the row of the backup. */
export function chosen(meeting: Pick<Meeting, 'rows' | 'name' | 'source'>): string {
  const on = meeting.source.map((column, index) => `b.${quoted(column)} = r.s${index}`).join(' AND ');
  return `${meeting.rows} r JOIN main.${quoted(meeting.name)} b ON ${on}`;
}

/** The live column first: its collation decides, as in the live database's own keys. */
export function sameKey(meeting: Meeting, live = 'l', backup = 'b'): string {
  return meeting.key.map((column) => `${live}.${quoted(column)} = ${backup}.${quoted(column)}`).join(' AND ');
}

/** Also when only the storage class differs (1 and 1.0), or only what a collation passes over. */
function differs(column: string): string {
  const [l, b] = [`l.${quoted(column)}`, `b.${quoted(column)}`];
  return `(typeof(${l}) <> typeof(${b}) OR ${l} IS NOT ${b} COLLATE BINARY)`;
}

/** Sets class `missing`, `changed` (with the numbers of the columns) or `same`, of rows with these classes or of all. */
export function classify(database: DatabaseSync, meeting: Meeting, only?: readonly string[]): void {
  const { rows, live, name, columns, key } = meeting;
  const limit = only === undefined ? '' : ` WHERE r.class IN (${only.map((word) => `'${word}'`).join(', ')})`;
  if (live === undefined) {
    database.exec(`UPDATE ${rows} AS r SET class = 'missing'${limit}`);
    return;
  }
  if (meeting.matchedBy === 'whole row') {
    classifyWhole(database, meeting, limit);
    return;
  }
  const cols = columns.map((column, index) => `CASE WHEN ${differs(column)} THEN ',${index}' ELSE '' END`);
  const present = `l.${quoted(key[0] ?? '')} IS NOT NULL`;
  const from = `main.${quoted(name)} b LEFT JOIN live.${quoted(name)} l ON ${sameKey(meeting)}`;
  const own = meeting.source.map((column, index) => `b.${quoted(column)} = r.s${index}`).join(' AND ');
  // A CASE of a thousand columns would be too deep for one expression.
  const joined = inGroups(cols, 100);
  database.exec(
    `UPDATE ${rows} AS r SET cols = (SELECT CASE WHEN ${present} THEN ${joined} END FROM ${from} WHERE ${own})${limit}`,
  );
  database.exec(
    `UPDATE ${rows} AS r SET class = CASE WHEN cols IS NULL THEN 'missing' WHEN cols = '' THEN 'same' ELSE 'changed' END${limit}`,
  );
}

function inGroups(terms: readonly string[], size: number): string {
  const groups: string[] = [];
  for (let at = 0; at < terms.length; at += size) groups.push(`(${terms.slice(at, at + size).join(' || ')})`);
  return groups.length === 0 ? "''" : groups.join(' || ');
}

/** Without a key a row is there as often as an equal one is: what the backup has more of is missing. */
function classifyWhole(database: DatabaseSync, meeting: Meeting, limit: string): void {
  const { rows, name, columns, index } = meeting;
  const text = (alias: string): string =>
    inGroups(
      columns.map((column) => `quote(${alias}.${quoted(column)}) || ','`),
      100,
    );
  database.exec(`DROP TABLE IF EXISTS temp.holdfast_live_${index}`);
  database.exec(
    `CREATE TEMP TABLE holdfast_live_${index} AS SELECT ${text('l')} AS t, count(*) AS n FROM live.${quoted(name)} l GROUP BY 1`,
  );
  database.exec(`CREATE INDEX temp.holdfast_live_${index}_t ON holdfast_live_${index} (t)`);
  database.exec(`UPDATE ${rows} AS r SET class = x.class FROM (
      SELECT p.n, CASE WHEN p.place > coalesce(c.n, 0) THEN 'missing' ELSE 'same' END AS class
      FROM (SELECT r.n, ${text('b')} AS t, row_number() OVER (PARTITION BY ${text('b')} ORDER BY r.n) AS place FROM ${chosen(meeting)}) p
      LEFT JOIN temp.holdfast_live_${index} c ON c.t = p.t) x
    WHERE x.n = r.n${limit.replace(' WHERE ', ' AND ')}`);
}

/** Which classes are written, given what is to become of rows that differ. */
export function writtenClasses(onChanged: RowsQuestion['onChanged']): readonly string[] {
  return onChanged === 'restore' ? ['missing', 'changed'] : ['missing'];
}

/** One line for each row that is touched or left out: enough to say whether the same would happen again. */
export function affectedDigest(
  database: DatabaseSync,
  meetings: readonly Meeting[],
  onChanged: RowsQuestion['onChanged'],
): string {
  const hash = createHash('sha256');
  for (const meeting of meetings) {
    hash.update(`${JSON.stringify([meeting.name, meeting.live !== undefined])}\n`);
    for (const row of keysOf(database, meeting, [...writtenClasses(onChanged), 'conflict']))
      hash.update(`${JSON.stringify(row)}\n`);
  }
  return hash.digest('hex');
}

/** Class, columns that differ, and the key as SQL literals, in the order of the copy. */
export function* keysOf(database: DatabaseSync, meeting: Meeting, classes: readonly string[]): Generator<unknown[]> {
  const shown = meeting.key.length > 0 ? meeting.key : meeting.source;
  const literals = shown.map((column) => `quote(b.${quoted(column)})`).join(', ');
  const query = `SELECT r.class, r.cols, r.why, ${literals} FROM ${chosen(meeting)}
    WHERE r.class IN (${classes.map((word) => `'${word}'`).join(', ')}) ORDER BY r.n`;
  for (const row of database.prepare(query).iterate()) yield Object.values(row);
}
