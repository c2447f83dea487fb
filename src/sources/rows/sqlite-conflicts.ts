/** Which rows of a backup can't be put back, because a constraint of the live database would fail. */
import type { DatabaseSync } from 'node:sqlite';
import { chosen, sameKey, writtenClasses, type Meeting, type RowsQuestion } from './sqlite-compare.ts';
import { quoted, tableFacts, type Unique } from './sqlite-tables.ts';

export interface Conflict {
  readonly kind: 'unique' | 'foreign key';
  readonly constraint: string;
  readonly why: string;
  rows: number;
}

/** Rows that would break a constraint become class `conflict`; `why` is the number of the constraint in the answer. */
export function findConflicts(
  database: DatabaseSync,
  meetings: readonly Meeting[],
  onChanged: RowsQuestion['onChanged'],
): Conflict[][] {
  const found = meetings.map((): Conflict[] => []);
  for (const meeting of meetings) {
    for (const unique of meeting.live?.uniques ?? []) {
      const rows = markUnique(database, meeting, unique, found[meeting.index]?.length ?? 0, onChanged);
      const why = `another live row has the same ${unique.columns.join(', ')}`;
      if (rows > 0) found[meeting.index]?.push({ kind: 'unique', constraint: unique.name, why, rows });
    }
    markPrimaryKey(database, meeting, found[meeting.index] ?? [], onChanged);
  }
  // A row that stays out takes its children with it, so this goes on until nothing changes any more.
  while (meetings.some((meeting) => markOrphans(database, meeting, meetings, found[meeting.index] ?? [], onChanged)));
  return found;
}

/** Where rows are recognised by another key, the primary key is one more that must stay unique. */
function markPrimaryKey(
  database: DatabaseSync,
  meeting: Meeting,
  found: Conflict[],
  onChanged: RowsQuestion['onChanged'],
): void {
  const { primaryKey = [], name = '' } = meeting.live ?? {};
  if (primaryKey.length === 0 || meeting.matchedBy === 'primary key') return;
  if (!primaryKey.every((column) => meeting.columns.includes(column))) return;
  const rows = markUnique(
    database,
    meeting,
    { name: `${name} primary key`, columns: primaryKey },
    found.length,
    onChanged,
  );
  const why = `another live row has the same ${primaryKey.join(', ')}`;
  if (rows > 0) found.push({ kind: 'unique', constraint: `${name} primary key`, why, rows });
}

function markUnique(
  database: DatabaseSync,
  meeting: Meeting,
  unique: Unique,
  number: number,
  onChanged: RowsQuestion['onChanged'],
): number {
  const isKey =
    unique.columns.length === meeting.key.length && unique.columns.every((column) => meeting.key.includes(column));
  if (isKey || !unique.columns.every((column) => meeting.columns.includes(column))) return 0;
  const classes = writtenClasses(onChanged)
    .map((word) => `'${word}'`)
    .join(', ');
  const same = unique.columns.map((column) => `l.${quoted(column)} = b.${quoted(column)}`).join(' AND ');
  // A live row that will itself become another one frees what it holds.
  const frees = (): string => {
    const own = meeting.source.map((column, index) => `b2.${quoted(column)} = r2.s${index}`).join(' AND ');
    return ` AND NOT EXISTS (SELECT 1 FROM ${meeting.rows} r2 JOIN main.${quoted(meeting.name)} b2 ON ${own}
      WHERE r2.class = 'changed' AND ${sameKey(meeting, 'l', 'b2')})`;
  };
  const other = meeting.key.length === 0 ? '' : ` AND NOT (${sameKey(meeting)})`;
  const result = database
    .prepare(
      `UPDATE ${meeting.rows} SET class = 'conflict', why = ${number} WHERE class IN (${classes}) AND n IN (
        SELECT r.n FROM ${chosen(meeting)} JOIN live.${quoted(meeting.name)} l ON ${same}${other}
        WHERE r.class IN (${classes})${onChanged === 'restore' && meeting.key.length > 0 ? frees() : ''})`,
    )
    .run();
  return Number(result.changes);
}

/** Whether any row was found whose parent is neither live nor among the rows that come back. */
function markOrphans(
  database: DatabaseSync,
  meeting: Meeting,
  meetings: readonly Meeting[],
  found: Conflict[],
  onChanged: RowsQuestion['onChanged'],
): boolean {
  const classes = writtenClasses(onChanged)
    .map((word) => `'${word}'`)
    .join(', ');
  let any = false;
  for (const { parent, from, to } of (meeting.live ?? meeting.copy).foreignKeys) {
    if (from.length !== to.length || !from.every((column) => meeting.columns.includes(column))) continue;
    const facts = tableFacts(database, 'live', parent);
    const complete = from.map((column) => `b.${quoted(column)} IS NOT NULL`).join(' AND ');
    const isParent = (alias: string): string =>
      to.map((column, index) => `${alias}.${quoted(column)} = b.${quoted(from[index] ?? '')}`).join(' AND ');
    const isLive =
      facts === undefined ? '0' : `EXISTS (SELECT 1 FROM live.${quoted(facts.name)} p WHERE ${isParent('p')})`;
    const asked = meetings.find(({ name }) => name.toLowerCase() === parent.toLowerCase());
    const own = asked?.source.map((column, index) => `p.${quoted(column)} = rp.s${index}`).join(' AND ') ?? '';
    const comes =
      asked === undefined
        ? '0'
        : `EXISTS (SELECT 1 FROM main.${quoted(asked.name)} p JOIN ${asked.rows} rp ON ${own}
            WHERE ${isParent('p')} AND rp.class IN (${classes}))`;
    const constraint = `${from.join(', ')} → ${parent}(${to.join(', ')})`;
    const at = found.findIndex((one) => one.constraint === constraint);
    const number = at === -1 ? found.length : at;
    const { changes } = database
      .prepare(
        `UPDATE ${meeting.rows} SET class = 'conflict', why = ${number} WHERE class IN (${classes}) AND n IN (
          SELECT r.n FROM ${chosen(meeting)} WHERE r.class IN (${classes}) AND ${complete} AND NOT ${isLive} AND NOT ${comes})`,
      )
      .run();
    if (Number(changes) === 0) continue;
    any = true;
    const known = found[number];
    if (known !== undefined) known.rows += Number(changes);
    else {
      const why = `the parent row in ${parent} is missing${asked === undefined ? `: put ${parent} back too` : ''}`;
      found.push({ kind: 'foreign key', constraint, why, rows: Number(changes) });
    }
  }
  return any;
}
