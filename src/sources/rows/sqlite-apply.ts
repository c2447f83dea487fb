/** Puts rows back into the live database in one transaction. Runs on the thread of a job. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../failures.ts';
import { parentsFirst } from '../../policy/parents-first.ts';
import {
  affectedDigest,
  chosen,
  classify,
  openBoth,
  sameKey,
  writtenClasses,
  type Meeting,
  type RowsQuestion,
} from './sqlite-compare.ts';
import { changedColumns, compare, writeLines } from './sqlite-preview.ts';
import { creationOf, quoted } from './sqlite-tables.ts';

export interface RowsOrder extends RowsQuestion {
  /** Of the preview that was approved. */
  readonly affectedSha256: string;
  /** Which rows an earlier attempt was about to write: written before anything else is. */
  readonly intentFile: string;
  /** Where rows go as they were before they are replaced. */
  readonly replacedFile: string;
  readonly deadlineMs: number;
}

export interface RowsWritten {
  readonly added: number;
  readonly replaced: number;
  /** An earlier attempt had done it, so that nothing was written now. */
  readonly before: boolean;
  readonly foreignKeyViolations: number;
}

/**
 * Compares again first, without holding anybody up. Under the write lock only the rows concerned are looked at once more,
 * so that the lock's time follows their number and not that of the table. Throws PlanChanged, CheckFailed (a constraint or
 * a trigger stood in the way, nothing was written), SourceChanging when the database stays locked.
 */
export function applyRows(order: RowsOrder): RowsWritten {
  const database = openBoth(order, 'rw');
  try {
    database.exec('PRAGMA foreign_keys = ON');
    const { meetings } = compare(database, order);
    const counts = countsOf(database, meetings, order);
    if (affectedDigest(database, meetings, order.onChanged) !== order.affectedSha256) {
      const earlier = alreadyDone(database, meetings, order);
      if (earlier === undefined) throw changed();
      return { ...earlier, before: true, foreignKeyViolations: violations(database, meetings) };
    }
    writeIntent(database, meetings, order);
    begin(database, order);
    try {
      write(database, meetings, order);
      commit(database, order);
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      // Known not to have been committed, so that rows which others write from now on are not taken for ours.
      rmSync(order.intentFile, { force: true });
      throw error;
    }
    return { ...counts, before: false, foreignKeyViolations: violations(database, meetings) };
  } finally {
    database.close();
  }
}

function changed(): HoldfastError {
  return new HoldfastError('PlanChanged', 'other rows are missing or different than when the preview was approved');
}

function countsOf(
  database: DatabaseSync,
  meetings: readonly Meeting[],
  order: RowsQuestion,
): { added: number; replaced: number } {
  const count = (word: string): number =>
    meetings.reduce((sum, meeting) => sum + countOf(database, meeting, [word]), 0);
  return { added: count('missing'), replaced: order.onChanged === 'restore' ? count('changed') : 0 };
}

/** The copy never changes and is read in one order, so that a row's number in the selection means the same row again. */
function writeIntent(database: DatabaseSync, meetings: readonly Meeting[], order: RowsOrder): void {
  const classes = writtenClasses(order.onChanged)
    .map((word) => `'${word}'`)
    .join(', ');
  writeLines(
    order.intentFile,
    (function* () {
      yield `${order.affectedSha256}\n`;
      for (const { index, rows } of meetings) {
        const query = `SELECT n, class FROM ${rows} WHERE class IN (${classes}) ORDER BY n`;
        for (const row of database.prepare(query).iterate())
          yield `${index} ${Number(row['n'])} ${String(row['class'])}\n`;
      }
    })(),
  );
}

/**
 * A transaction is whole or not there: when one of the rows that an earlier attempt was about to write is as in the backup
 * now, that attempt was committed, whatever others have done to some of the rows since.
 */
function alreadyDone(
  database: DatabaseSync,
  meetings: readonly Meeting[],
  order: RowsOrder,
): { added: number; replaced: number } | undefined {
  if (!existsSync(order.intentFile)) return undefined;
  const [digest, ...lines] = readFileSync(order.intentFile, 'utf8').split('\n');
  if (digest !== order.affectedSha256) return undefined;
  const rows = lines.filter((line) => line !== '').map((line) => line.split(' '));
  const there = rows.some(([index, n]) => {
    const meeting = meetings[Number(index)];
    if (meeting === undefined) return false;
    return database.prepare(`SELECT class FROM ${meeting.rows} WHERE n = ?`).get(Number(n))?.['class'] === 'same';
  });
  if (!there) return undefined;
  const count = (word: string): number => rows.filter(([, , was]) => was === word).length;
  return { added: count('missing'), replaced: count('changed') };
}

function begin(database: DatabaseSync, order: RowsOrder): void {
  untilFree(order, () => database.exec('BEGIN IMMEDIATE'));
  database.exec('PRAGMA defer_foreign_keys = ON');
}

function commit(database: DatabaseSync, order: RowsOrder): void {
  try {
    untilFree(order, () => database.exec('COMMIT'));
  } catch (error) {
    throw constraintOr(error, 'the rows together');
  }
}

/** SQLITE_BUSY (5) and SQLITE_LOCKED (6) are waited for, each call for a while by itself, until the deadline. */
function untilFree(order: RowsOrder, step: () => void): void {
  const until = Date.now() + order.deadlineMs;
  for (;;) {
    try {
      step();
      return;
    } catch (error) {
      if (![5, 6].includes(primaryCode(error)) || Date.now() > until) throw error;
    }
  }
}

function primaryCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
}

/** SQLITE_CONSTRAINT (19), which also a trigger's RAISE gives. */
function constraintOr(error: unknown, what: string): unknown {
  if (primaryCode(error) !== 19 || !(error instanceof Error)) return error;
  return new HoldfastError('CheckFailed', `The live database refuses ${what}: ${error.message}; nothing was written`, {
    hint: 'Leave the rows concerned out by the condition, or put what they depend on back as well.',
  });
}

function write(database: DatabaseSync, meetings: readonly Meeting[], order: RowsOrder): void {
  const classes = writtenClasses(order.onChanged);
  const gone = meetings.filter(({ live }) => live === undefined);
  for (const { name } of gone) for (const sql of creationOf(database, name, ['table', 'index'])) database.exec(sql);
  const there = meetings.filter(({ live }) => live !== undefined);
  const before = there.map((meeting) => classesOf(database, meeting));
  for (const meeting of there) classify(database, meeting, classes);
  if (there.some((meeting, at) => classesOf(database, meeting) !== before[at])) throw changed();
  if (order.onChanged === 'restore') keepReplaced(database, there, order.replacedFile);
  for (const meeting of inOrder(meetings)) {
    try {
      if (order.onChanged === 'restore') update(database, meeting);
      insert(database, meeting);
    } catch (error) {
      throw constraintOr(error, `rows of ${meeting.name}`);
    }
  }
  for (const { name } of gone) for (const sql of creationOf(database, name, ['trigger'])) database.exec(sql);
  for (const meeting of there) mustBeEqual(database, meeting, classes);
}

/** A digest would be dear: the classes change in one direction only, so that their counts tell. */
function classesOf(database: DatabaseSync, { rows }: Meeting): string {
  return JSON.stringify(
    database.prepare(`SELECT class, cols, count(*) AS n FROM ${rows} GROUP BY class, cols ORDER BY 1, 2`).all(),
  );
}

function inOrder(meetings: readonly Meeting[]): Meeting[] {
  return parentsFirst(meetings, ({ live, copy, name }) =>
    meetings.filter(
      (other) =>
        other.name !== name &&
        (live ?? copy).foreignKeys.some(({ parent }) => parent.toLowerCase() === other.name.toLowerCase()),
    ),
  );
}

/** ABORT also where the table's own constraints say IGNORE or REPLACE: no row is passed over or removed in silence. */
function insert(database: DatabaseSync, meeting: Meeting): void {
  const columns = meeting.columns.map(quoted);
  database.exec(`INSERT OR ABORT INTO live.${quoted(meeting.name)} (${columns.join(', ')})
    SELECT ${columns.map((column) => `b.${column}`).join(', ')} FROM ${chosen(meeting)} WHERE r.class = 'missing' ORDER BY r.n`);
}

/** Only columns that differ somewhere: a key's too, which can differ in its letters and be the same to its index. */
function update(database: DatabaseSync, meeting: Meeting): void {
  const changing = changedColumns(database, meeting).map(({ column }) => column);
  if (changing.length === 0) return;
  const set = changing.map((column) => `${quoted(column)} = b.${quoted(column)}`).join(', ');
  database.exec(`UPDATE OR ABORT live.${quoted(meeting.name)} AS l SET ${set} FROM ${chosen(meeting)}
    WHERE r.class = 'changed' AND ${sameKey(meeting)}`);
}

/** The way back: the live rows as they are, as SQL literals. */
function keepReplaced(database: DatabaseSync, meetings: readonly Meeting[], path: string): void {
  writeLines(
    path,
    (function* () {
      for (const meeting of meetings.filter(({ key }) => key.length > 0)) {
        const values = meeting.columns.map((column) => `quote(l.${quoted(column)})`).join(', ');
        const query = `SELECT ${values} FROM ${chosen(meeting)} JOIN live.${quoted(meeting.name)} l ON ${sameKey(meeting)} WHERE r.class = 'changed'`;
        for (const row of database.prepare(query).iterate()) {
          const found = Object.values(row);
          const was = Object.fromEntries(meeting.columns.map((column, at) => [column, found[at]]));
          yield `${JSON.stringify({ table: meeting.name, row: was })}\n`;
        }
      }
    })(),
  );
}

/** Inside the transaction, where nobody else can have written: what differs now, a trigger did. */
function mustBeEqual(database: DatabaseSync, meeting: Meeting, classes: readonly string[]): void {
  const expected = countOf(database, meeting, ['same', ...classes]);
  classify(database, meeting, classes);
  const wrong = expected - countOf(database, meeting, ['same']);
  if (wrong === 0) return;
  throw new HoldfastError(
    'CheckFailed',
    `${wrong} rows of ${meeting.name} were not as in the backup after they had been written; nothing was kept`,
    { hint: 'A trigger changes or removes them: drop it for the time of the restore.' },
  );
}

function countOf(database: DatabaseSync, { rows }: Meeting, classes: readonly string[]): number {
  const words = classes.map((word) => `'${word}'`).join(', ');
  return Number(database.prepare(`SELECT count(*) AS n FROM ${rows} WHERE class IN (${words})`).get()?.['n']);
}

function violations(database: DatabaseSync, meetings: readonly Meeting[]): number {
  const count = ({ name }: Meeting): number =>
    database.prepare(`PRAGMA live.foreign_key_check(${quoted(name)})`).all().length;
  return meetings.reduce((sum, meeting) => sum + count(meeting), 0);
}
