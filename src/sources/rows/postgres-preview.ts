/** What putting rows back into a PostgreSQL database would do, counted; the keys go to a file. */
import { createHash } from 'node:crypto';
import { escapeIdentifier as id, type Client } from 'pg';
import type { RowsTable } from '../../workflows/rows-contract.ts';
import { writeLineFile } from './line-file.ts';
import {
  classify,
  countOf,
  keyLines,
  meetTables,
  writtenClasses,
  type OnChanged,
  type PgAsked,
  type PgMeeting,
} from './postgres-compare.ts';
import { findConflicts, type Conflict } from './postgres-conflicts.ts';
import type { Creation } from './postgres-create.ts';
import { textName } from './postgres-tables.ts';

export interface PgQuestion {
  readonly tables: readonly PgAsked[];
  readonly onChanged: OnChanged;
  /** Of tables that are gone. */
  readonly creation?: Creation;
  readonly onRows: (rows: number) => void;
}

export interface PgCompared {
  readonly meetings: readonly PgMeeting[];
  readonly conflicts: readonly (readonly Conflict[])[];
}

/** In one snapshot of each database, in a transaction that is still open, and read-only, when this resolves. */
export async function compare(side: Client, live: Client, question: PgQuestion): Promise<PgCompared> {
  // The temporary tables are as large as what the condition selects.
  await live.query(`SET temp_buffers = '64MB'`);
  await live.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const meetings = await meetTables(side, live, question);
  // From here on only the temporary tables may be written.
  await live.query('SET TRANSACTION READ ONLY');
  for (const meeting of meetings) await classify(live, meeting);
  return { meetings, conflicts: await findConflicts(live, meetings, question.onChanged) };
}

/** Of the rows that are touched or left out: the same lines, the same digest. */
export async function affectedDigest(live: Client, { meetings }: PgCompared, onChanged: OnChanged): Promise<string> {
  const hash = createHash('sha256');
  for (const meeting of meetings) {
    hash.update(`${JSON.stringify([textName(meeting.live), meeting.gone !== undefined])}\n`);
    for await (const line of keyLines(live, meeting, [...writtenClasses(onChanged), 'conflict'])) hash.update(line);
  }
  return hash.digest('hex');
}

export async function writeKeys(live: Client, { meetings }: PgCompared, path: string): Promise<void> {
  await writeLineFile(
    path,
    (async function* () {
      for (const meeting of meetings) yield* keyLines(live, meeting, ['missing', 'changed', 'conflict']);
    })(),
  );
}

export async function tableOf(
  live: Client,
  meeting: PgMeeting,
  conflicts: readonly Conflict[],
  onChanged: OnChanged,
): Promise<RowsTable> {
  const count = (...classes: string[]): Promise<number> => countOf(live, meeting, classes);
  return {
    table: textName(meeting.live),
    matchedBy: meeting.matchedBy,
    key: meeting.key.map(({ column }) => column),
    selected: await count('missing', 'changed', 'same', 'conflict'),
    missing: await count('missing'),
    changed: await count('changed'),
    changedColumns: await changedColumns(live, meeting),
    conflicts,
    same: await count('same'),
    notes: meeting.gone === undefined ? notesOf(meeting, onChanged) : notesOfGone(meeting.gone),
  };
}

/** Of the rows that differ now, in the order of the table. */
export async function changedColumns(live: Client, { rows, columns }: PgMeeting): Promise<RowsTable['changedColumns']> {
  // A table may have columns of any name.
  const { rows: groups } = await live.query<{ holdfast_at: string; holdfast_n: string }>(
    `SELECT holdfast_at, count(*)::text AS holdfast_n
      FROM ${rows}, unnest(string_to_array(substr(holdfast_cols, 2), ',')) AS holdfast_at
      WHERE holdfast_class = 'changed' GROUP BY holdfast_at ORDER BY holdfast_at::int`,
  );
  return groups.map(({ holdfast_at: at, holdfast_n: n }) => ({ column: columns[Number(at)] ?? '', rows: Number(n) }));
}

function notesOfGone({ refused }: Creation): string[] {
  const notes = [
    'the table is not there any more: it is made again as in the backup, then its rows, then its indexes, constraints and triggers',
    'what others lost with it (foreign keys to it, views) is not made again',
  ];
  return refused === undefined ? notes : [...notes, `some definitions could not be read out of the backup: ${refused}`];
}

function notesOf({ live, side, columns, matchedBy }: PgMeeting, onChanged: OnChanged): string[] {
  const notes: string[] = [];
  const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => name).join(', ');
  if (matchedBy === 'whole row') {
    const restore = onChanged === 'restore' ? ', and a row that was changed counts as missing' : '';
    notes.push(`no key tells its rows apart: whole rows are compared${restore}`);
  }
  if (live.triggers.length > 0) notes.push(`its triggers fire as for any write: ${live.triggers.join(', ')}`);
  const added = live.columns.filter(({ name, generated }) => !generated && !columns.includes(name));
  if (added.length > 0) notes.push(`columns that the backup lacks get their defaults: ${names(added)}`);
  const dropped = side.columns.filter(
    ({ name, generated }) => !generated && !live.columns.some((one) => one.name === name),
  );
  if (dropped.length > 0) notes.push(`columns that are not there any more are left out: ${names(dropped)}`);
  const computed = live.columns.filter(({ generated }) => generated);
  if (computed.length > 0) notes.push(`computed columns are computed again: ${names(computed)}`);
  if (live.hidden.length > 0) {
    notes.push(
      `partial, computed, deferrable or exclusion constraints are not foreseen, only obeyed: ${live.hidden.join(', ')}`,
    );
  }
  return notes;
}

/** The live rows as they are, of those that differ: one JSON object a line, every value as text. */
export async function* replacedLines(
  live: Client,
  meeting: PgMeeting,
  on: string,
  from: string,
): AsyncGenerator<string> {
  const name = `holdfast_replaced_${meeting.index}`;
  const pairs = meeting.columns.map((column) => `l.${id(column)}::text`).join(', ');
  await live.query(
    `DECLARE ${name} CURSOR FOR SELECT ARRAY[${pairs}] AS row FROM ${meeting.rows} r JOIN ${from} l ON ${on} WHERE r.holdfast_class = 'changed'`,
  );
  for (;;) {
    const { rows } = await live.query<{ row: (string | null)[] }>(`FETCH 1000 FROM ${name}`);
    for (const { row } of rows) {
      const values = Object.fromEntries(meeting.columns.map((column, at) => [column, row[at] ?? null]));
      yield `${JSON.stringify({ table: textName(meeting.live), row: values })}\n`;
    }
    if (rows.length < 1000) break;
  }
  await live.query(`CLOSE ${name}`);
}
