/** What putting rows back would do, counted; the keys go to a file. Runs on the thread of a job. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { RowsTable } from '../../workflows/rows-contract.ts';
import { affectedDigest, classify, keysOf, meet, openBoth, type Meeting, type RowsQuestion } from './sqlite-compare.ts';
import { findConflicts, type Conflict } from './sqlite-conflicts.ts';

export interface RowsFound {
  readonly affectedSha256: string;
  readonly tables: readonly RowsTable[];
}

/** On a read-only connection, in one snapshot of the live database. */
export function previewRows(question: RowsQuestion & { readonly keysFile: string }): RowsFound {
  const database = openBoth(question, 'ro');
  try {
    const { meetings, conflicts } = compare(database, question);
    writeKeys(database, meetings, conflicts, question.keysFile);
    return {
      affectedSha256: affectedDigest(database, meetings, question.onChanged),
      tables: meetings.map((meeting) => tableOf(database, meeting, conflicts[meeting.index] ?? [], question)),
    };
  } finally {
    database.close();
  }
}

export interface Compared {
  readonly meetings: readonly Meeting[];
  readonly conflicts: readonly (readonly Conflict[])[];
}

/** Leaves no transaction open: whoever writes waits for the comparison at most. */
export function compare(database: DatabaseSync, question: RowsQuestion): Compared {
  database.exec('BEGIN');
  try {
    const meetings = meet(database, question);
    for (const meeting of meetings) classify(database, meeting);
    return { meetings, conflicts: findConflicts(database, meetings, question.onChanged) };
  } finally {
    database.exec('COMMIT');
  }
}

function tableOf(
  database: DatabaseSync,
  meeting: Meeting,
  conflicts: readonly Conflict[],
  question: RowsQuestion,
): RowsTable {
  const counts = new Map(
    database
      .prepare(`SELECT class, count(*) AS n FROM ${meeting.rows} GROUP BY class`)
      .all()
      .map((row) => [String(row['class']), Number(row['n'])]),
  );
  const of = (word: string): number => counts.get(word) ?? 0;
  return {
    table: meeting.name,
    matchedBy: meeting.matchedBy,
    key: meeting.key,
    selected: [...counts.values()].reduce((sum, count) => sum + count, 0),
    missing: of('missing'),
    changed: of('changed'),
    changedColumns: changedColumns(database, meeting),
    conflicts,
    same: of('same'),
    notes: notesOf(meeting, question),
  };
}

/** Of the rows that differ now, in the order of the table. */
export function changedColumns(database: DatabaseSync, { rows, columns }: Meeting): RowsTable['changedColumns'] {
  const counts = new Map<number, number>();
  const groups = database
    .prepare(`SELECT cols, count(*) AS n FROM ${rows} WHERE class = 'changed' GROUP BY cols`)
    .all();
  for (const { cols, n } of groups) {
    for (const index of String(cols).split(',').slice(1).map(Number)) {
      counts.set(index, (counts.get(index) ?? 0) + Number(n));
    }
  }
  return [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([index, count]) => ({ column: columns[index] ?? '', rows: count }));
}

function notesOf({ live, copy, columns, matchedBy }: Meeting, { onChanged }: RowsQuestion): string[] {
  if (live === undefined) {
    const triggers = copy.triggers.length === 0 ? '' : `, then its triggers ${copy.triggers.join(', ')}`;
    return [`the table is not there any more: it is made again as in the backup, with its indexes${triggers}`];
  }
  const notes: string[] = [];
  const only = (left: readonly string[]): string[] => left.filter((column) => !columns.includes(column));
  if (matchedBy === 'whole row') {
    const restore = onChanged === 'restore' ? ', and a row that was changed counts as missing' : '';
    notes.push(`no key tells its rows apart: whole rows are compared${restore}`);
  }
  if (live.triggers.length > 0) notes.push(`its triggers fire as for any write: ${live.triggers.join(', ')}`);
  const added = only(live.columns);
  if (added.length > 0) notes.push(`columns that the backup lacks get their defaults: ${added.join(', ')}`);
  const dropped = only(copy.columns);
  if (dropped.length > 0) notes.push(`columns that are not there any more are left out: ${dropped.join(', ')}`);
  if (live.hiddenUniques.length > 0) {
    notes.push(`partial or computed unique indexes are not foreseen, only obeyed: ${live.hiddenUniques.join(', ')}`);
  }
  return notes;
}

/** One JSON object a line; the values are SQL literals, so that nothing is lost. */
function writeKeys(
  database: DatabaseSync,
  meetings: readonly Meeting[],
  conflicts: Compared['conflicts'],
  path: string,
): void {
  const lines = function* (): Generator<string> {
    for (const meeting of meetings) {
      const names = meeting.key.length > 0 ? meeting.key : meeting.source;
      for (const row of keysOf(database, meeting, ['missing', 'changed', 'conflict'])) {
        const [what, cols, why, ...values] = row;
        const conflict = typeof why === 'number' ? conflicts[meeting.index]?.[why]?.constraint : undefined;
        const columns =
          what === 'changed'
            ? String(cols)
                .split(',')
                .slice(1)
                .map((at) => meeting.columns[Number(at)])
            : undefined;
        const key = Object.fromEntries(names.map((name, at) => [name, values[at]]));
        yield `${JSON.stringify({ table: meeting.name, what, key, columns, conflict })}\n`;
      }
    }
  };
  writeLines(path, lines());
}

const WRITE_AT_ONCE = 64 * 1024;

/** For the owner only, and durable. What was there is replaced. */
export function writeLines(path: string, lines: Iterable<string>): void {
  const file = openSync(path, 'w', 0o600);
  try {
    let held = '';
    for (const line of lines) {
      held += line;
      if (held.length < WRITE_AT_ONCE) continue;
      writeSync(file, held);
      held = '';
    }
    writeSync(file, held);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
