/** The thread that talks to SQLite: one job, one answer. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { HoldfastError } from '../../failures.ts';
import { applyRows } from '../rows/sqlite-apply.ts';
import { mergeRows } from '../rows/sqlite-merge.ts';
import { previewRows } from '../rows/sqlite-preview.ts';
import type { Examination, JobAnswer, JobOrder, Jobs } from './job.ts';

/** Everything in one step: a copy in several steps begins again whenever another process commits. */
const ALL_PAGES = 2 ** 31 - 1;
/** How long a locked database is waited for inside one call. */
const BUSY_MS = 10_000;
const MOST_PROBLEMS = 20;

async function run(order: JobOrder): Promise<Jobs[keyof Jobs]['result']> {
  switch (order.job) {
    case 'backup':
      return copy(order.from, order.to);
    case 'examine':
      return examine(order.path);
    case 'assert':
      return order.assertions.map((assertion) => assertOne(order.path, assertion));
    case 'ask':
      return ask(order);
    case 'settle':
      return settle(order.path);
    case 'previewRows':
      return previewRows(order);
    case 'mergeRows':
      return mergeRows(order);
    case 'applyRows':
      return applyRows(order);
  }
}

async function copy(from: string, to: string): Promise<{ pages: number }> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: BUSY_MS });
  try {
    // Reads the first page: what is no database is told from what can't be copied.
    source.prepare('SELECT count(*) FROM sqlite_schema').get();
    return { pages: await backup(source, to, { rate: ALL_PAGES }) };
  } finally {
    source.close();
  }
}

/** Immutable: no locks are taken and no files appear beside it. */
function openCopy(path: string): DatabaseSync {
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true });
}

/** Only numbers other than zero are true, as for SQLite itself; an error in the query is an answer, too. */
function assertOne(path: string, { name, sql }: { name: string; sql: string }): Jobs['assert']['result'][number] {
  const database = openCopy(path);
  try {
    const rows = database.prepare(sql).all();
    const values = Object.values(rows[0] ?? {});
    const one = rows.length === 1 && values.length === 1;
    const [value] = values;
    const ok = one && (typeof value === 'number' || typeof value === 'bigint') && Number(value) !== 0;
    // What the query answered may be of the operator's data.
    return { name, ok, detail: ok ? 'true' : one ? 'not true' : `${rows.length} rows instead of one value` };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    database.close();
  }
}

function ask({ path, sql, most }: { path: string; sql: string; most: number }): Jobs['ask']['result'] {
  const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
  try {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    statement.setReadBigInts(true);
    const rows: unknown[][] = [];
    let count = 0;
    for (const row of statement.iterate() as Iterable<unknown>) {
      count += 1;
      if (count <= most) rows.push(row as unknown[]);
    }
    return { rows, count };
  } finally {
    database.close();
  }
}

function examine(path: string): Examination {
  const database = openCopy(path);
  try {
    return {
      integrityProblems: integrityProblems(database),
      foreignKeyViolations: database.prepare('PRAGMA foreign_key_check').all().length,
      rows: rowsOf(database),
      schemaSha256: schemaDigest(database),
      userVersion: pragma(database, 'user_version'),
      applicationId: pragma(database, 'application_id'),
      pageSizeBytes: pragma(database, 'page_size'),
      sizeBytes: statSync(path).size,
    };
  } finally {
    database.close();
  }
}

function integrityProblems(database: DatabaseSync): string[] {
  try {
    const found = database.prepare(`PRAGMA integrity_check(${MOST_PROBLEMS})`).all();
    const texts = found.map((row) => String(row['integrity_check']));
    return texts.length === 1 && texts[0] === 'ok' ? [] : texts;
  } catch (error) {
    // So broken that the check itself gives up.
    return [error instanceof Error ? error.message : String(error)];
  }
}

function rowsOf(database: DatabaseSync): Record<string, number | null> {
  const tables = database
    .prepare(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
    )
    .all()
    .map((row) => String(row['name']));
  return Object.fromEntries(tables.map((table) => [table, countRows(database, table)]));
}

function countRows(database: DatabaseSync, table: string): number | null {
  try {
    return Number(database.prepare(`SELECT count(*) AS n FROM "${table.replaceAll('"', '""')}"`).get()?.['n']);
  } catch (error) {
    if (error instanceof Error && /no such module/.test(error.message)) return null;
    throw error;
  }
}

function schemaDigest(database: DatabaseSync): string {
  const hash = createHash('sha256');
  const query = 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, tbl_name';
  for (const row of database.prepare(query).all()) hash.update(`${JSON.stringify(Object.values(row))}\n`);
  return hash.digest('hex');
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function settle(path: string): { busy: boolean } {
  const url = pathToFileURL(path);
  url.searchParams.set('mode', 'rw');
  const database = new DatabaseSync(url, { timeout: 1000 });
  try {
    // Rolls back what a crashed writer left, too.
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    const busy = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'];
    return { busy: busy === 1 };
  } finally {
    database.close();
  }
}

async function answer(order: JobOrder): Promise<JobAnswer> {
  try {
    return { kind: 'done', result: await run(order) };
  } catch (error) {
    const failure = error instanceof HoldfastError ? { failure: { code: error.code, hint: error.hint } } : {};
    const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0;
    return { kind: 'failed', errcode, message: error instanceof Error ? error.message : String(error), ...failure };
  }
}

if (parentPort !== null) parentPort.postMessage(await answer(workerData as JobOrder));
