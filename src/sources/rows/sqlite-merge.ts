/**
 * Rows of several backups made one: into a scratch copy of the newest come those of older ones that it lacks, and what is
 * not valid goes. Only the copy is ever written to. Runs on the thread of a job.
 */
import { pathToFileURL } from 'node:url';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../failures.ts';
import type { RowsMerged } from '../../workflows/rows-contract.ts';
import { BUSY_MS } from './sqlite-compare.ts';
import { quoted, tableFacts, type TableFacts } from './sqlite-tables.ts';

export interface MergeOrder {
  /** Written to. */
  readonly copy: string;
  readonly tables: readonly { readonly table: string; readonly valid?: string }[];
  /**
   * `clean`: what is not valid in the copy goes. `older`: what only an older copy has comes. `live`: what is valid in the
   * live database goes, because it is newer than any backup.
   */
  readonly step: 'clean' | 'older' | 'live';
  /** Of the older copy, or of the live database. */
  readonly other?: string;
}

export type MergeCounts = Omit<RowsMerged, 'backup' | 'pointAt'>;

export function mergeRows({ copy, tables, step, other }: MergeOrder): MergeCounts[] {
  const database = new DatabaseSync(copy, { enableForeignKeyConstraints: false, timeout: BUSY_MS });
  try {
    if (other !== undefined) {
      const url = pathToFileURL(other);
      url.searchParams.set('mode', 'ro');
      if (step === 'older') url.searchParams.set('immutable', '1');
      // Under the name that tables of the live side have everywhere in this room.
      database.prepare('ATTACH ? AS live').run(url.href);
    }
    // Nothing may stay beside the copy: it is read without its log afterwards.
    database.exec('PRAGMA main.journal_mode = delete');
    database.exec('BEGIN IMMEDIATE');
    const counts = tables.map((asked) => mergeTable(database, asked, step));
    database.exec('COMMIT');
    return counts;
  } finally {
    database.close();
  }
}

function mergeTable(
  database: DatabaseSync,
  { table, valid }: MergeOrder['tables'][number],
  step: MergeOrder['step'],
): MergeCounts {
  const copy = tableFacts(database, 'main', table);
  if (copy === undefined) throw new HoldfastError('BadInput', `the newest backup has no table ${table}`);
  const key = keyOf(copy);
  const name = quoted(copy.name);
  const nothing = { table: copy.name, taken: 0, invalid: 0, differs: 0 };
  const isValid = valid === undefined ? '1' : `coalesce((${valid}\n), 0)`;
  const count = (sql: string): number => Number(saying(copy.name, () => database.prepare(sql).get()?.['n']));
  const run = (sql: string): number => Number(saying(copy.name, () => database.prepare(sql).run().changes));
  if (step === 'clean') {
    const invalid = valid === undefined ? 0 : run(`DELETE FROM main.${name} WHERE NOT ${isValid}`);
    return { ...nothing, invalid, taken: count(`SELECT count(*) AS n FROM main.${name}`) };
  }
  const there = tableFacts(database, 'live', table);
  if (there === undefined) return nothing;
  const columns = copy.columns.filter((column) => there.columns.includes(column));
  if (!key.every((column) => columns.includes(column))) return nothing;
  // No alias: the condition names columns as its writer is used to, and they are those of the row that is judged.
  const source = `live.${quoted(there.name)}`;
  const inner = `SELECT ${there.columns.map(quoted).join(', ')} FROM ${source} WHERE ${isValid}`;
  const same = key.map((column) => `m.${quoted(column)} IS o.${quoted(column)}`).join(' AND ');
  if (step === 'live') {
    run(`DELETE FROM main.${name} AS m WHERE EXISTS (SELECT 1 FROM (${inner}) AS o WHERE ${same})`);
    return nothing;
  }
  const differing = columns.map((column) => `m.${quoted(column)} IS NOT o.${quoted(column)}`).join(' OR ');
  const list = columns.map(quoted).join(', ');
  return {
    table: copy.name,
    invalid: valid === undefined ? 0 : count(`SELECT count(*) AS n FROM ${source} WHERE NOT ${isValid}`),
    differs: count(`SELECT count(*) AS n FROM (${inner}) AS o JOIN main.${name} AS m ON ${same} WHERE ${differing}`),
    taken: run(
      `INSERT OR IGNORE INTO main.${name} (${list}) SELECT ${columns.map((column) => `o.${quoted(column)}`).join(', ')}
         FROM (${inner}) AS o WHERE NOT EXISTS (SELECT 1 FROM main.${name} AS m WHERE ${same})`,
    ),
  };
}

/** Of several backups a row is the same by its key alone: without one, old and new states of it can't be told apart. */
function keyOf({ name, primaryKey, uniques, neverNull }: TableFacts): readonly string[] {
  const candidates = [primaryKey, ...uniques.map(({ columns }) => columns)];
  const key = candidates.find((columns) => columns.length > 0 && columns.every((column) => neverNull.has(column)));
  if (key !== undefined) return key;
  throw new HoldfastError(
    'BadInput',
    `${name} has no key that is never empty, so rows of several backups can't be merged`,
    {
      hint: 'Put its rows back from one backup.',
    },
  );
}

function saying<T>(table: string, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    // SQLITE_ERROR: the text is at fault, not the data.
    if (!(error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 1)) throw error;
    throw new HoldfastError('BadInput', `SQLite does not take what is to be valid of ${table}: ${error.message}`);
  }
}
