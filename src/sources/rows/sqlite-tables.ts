/** What SQLite knows of a table in the live database and in the copy of the backup. Runs on the thread of a job. */
import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../failures.ts';

/** The schemas of the one connection that rows are compared and put back on. */
export type Side = 'main' | 'live';

export interface Unique {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface ForeignKey {
  readonly parent: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

export interface TableFacts {
  readonly name: string;
  readonly withoutRowid: boolean;
  /** Those that can be written, in order. */
  readonly columns: readonly string[];
  /** Key columns that can hold NULL, which no comparison finds again, are not in `never`. */
  readonly neverNull: ReadonlySet<string>;
  readonly primaryKey: readonly string[];
  /** Without partial ones and those on expressions. */
  readonly uniques: readonly Unique[];
  /** The others: they can't be foreseen. */
  readonly hiddenUniques: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly triggers: readonly string[];
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

type Row = Readonly<Record<string, unknown>>;

/** Undefined when there is no such table. Throws BadInput for what has no rows of its own to put back. */
export function tableFacts(database: DatabaseSync, side: Side, asked: string): TableFacts | undefined {
  const all = (query: string): Row[] => database.prepare(query).all();
  const found = all(`PRAGMA ${side}.table_list`).filter(
    (row) => row['schema'] === side && String(row['name']).toLowerCase() === asked.toLowerCase(),
  )[0];
  if (found === undefined) return undefined;
  const name = String(found['name']);
  if (found['type'] !== 'table' || name.startsWith('sqlite_')) {
    const kind = name.startsWith('sqlite_') ? "SQLite's own" : `a ${String(found['type'])} table`;
    throw new HoldfastError('BadInput', `${name} is ${kind}: only ordinary tables have rows that can be put back`);
  }
  const at = `PRAGMA ${side}.`;
  const columns = all(`${at}table_xinfo(${quoted(name)})`);
  const withoutRowid = found['wr'] === 1;
  const primaryKey = columns
    .filter((column) => Number(column['pk']) > 0)
    .toSorted((a, b) => Number(a['pk']) - Number(b['pk']));
  const isRowid = primaryKey.length === 1 && !withoutRowid && /^integer$/i.test(String(primaryKey[0]?.['type']));
  const strictKey = withoutRowid || isRowid ? primaryKey : [];
  const indexes = uniquesOf(all, at, name);
  return {
    name,
    withoutRowid,
    columns: columns.filter((column) => column['hidden'] === 0).map((column) => String(column['name'])),
    neverNull: new Set(
      columns
        .filter((column) => column['notnull'] === 1 || strictKey.includes(column))
        .map((column) => String(column['name'])),
    ),
    primaryKey: primaryKey.map((column) => String(column['name'])),
    ...indexes,
    foreignKeys: foreignKeysOf(all, at, name),
    triggers: database
      .prepare(
        `SELECT name FROM ${side}.sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY 1`,
      )
      .all(name)
      .map((row) => String(row['name'])),
  };
}

type All = (query: string) => Row[];

function uniquesOf(all: All, at: string, table: string): { uniques: Unique[]; hiddenUniques: string[] } {
  const uniques: Unique[] = [];
  const hiddenUniques: string[] = [];
  for (const index of all(`${at}index_list(${quoted(table)})`)) {
    if (index['unique'] !== 1 || index['origin'] === 'pk') continue;
    const name = String(index['name']);
    const parts = all(`${at}index_xinfo(${quoted(name)})`).filter((part) => part['key'] === 1);
    const plain = index['partial'] === 0 && parts.every((part) => part['name'] !== null);
    if (plain) uniques.push({ name, columns: parts.map((part) => String(part['name'])) });
    else hiddenUniques.push(name);
  }
  return { uniques, hiddenUniques };
}

function foreignKeysOf(all: All, at: string, table: string): ForeignKey[] {
  const byId = Map.groupBy(all(`${at}foreign_key_list(${quoted(table)})`), (row) => Number(row['id']));
  return [...byId.values()].map((rows) => {
    const sorted = rows.toSorted((a, b) => Number(a['seq']) - Number(b['seq']));
    const parent = String(sorted[0]?.['table']);
    const named = sorted.map((row) => row['to']);
    // Without names the parent's primary key is meant.
    const to = named.every((column) => column !== null) ? named.map(String) : primaryKeyOf(all, at, parent);
    return { parent, from: sorted.map((row) => String(row['from'])), to };
  });
}

function primaryKeyOf(all: All, at: string, table: string): string[] {
  return all(`${at}table_xinfo(${quoted(table)})`)
    .filter((column) => Number(column['pk']) > 0)
    .toSorted((a, b) => Number(a['pk']) - Number(b['pk']))
    .map((column) => String(column['name']));
}

/** How SQLite made a table, and what hangs on it: as it stands in the copy's schema, for the live database. */
export function creationOf(database: DatabaseSync, table: string, types: readonly string[]): string[] {
  const rows = database
    .prepare(
      `SELECT type, sql FROM main.sqlite_schema WHERE tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL ORDER BY rowid`,
    )
    .all(table);
  return rows
    .filter((row) => types.includes(String(row['type'])))
    .map((row) => String(row['sql']).replace(/^(CREATE (?:UNIQUE )?(?:TABLE|INDEX|TRIGGER)) /i, '$1 live.'));
}
