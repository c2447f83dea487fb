/** Which rows of a backup can't be put back, because a constraint of the live database would fail. */
import { escapeIdentifier as id, type Client } from 'pg';
import { fromTable, textName, type KeyColumn, type PgForeignKey } from './postgres-tables.ts';
import { sameKey, wordsOf, writtenClasses, type OnChanged, type PgMeeting } from './postgres-compare.ts';

export interface Conflict {
  readonly kind: 'unique' | 'foreign key';
  readonly constraint: string;
  readonly why: string;
  rows: number;
}

/** Rows that would break a constraint become class `conflict`; `holdfast_why` is the constraint's place in the answer. */
export async function findConflicts(
  client: Client,
  meetings: readonly PgMeeting[],
  onChanged: OnChanged,
): Promise<Conflict[][]> {
  const found = meetings.map((): Conflict[] => []);
  for (const meeting of meetings) {
    const own = found[meeting.index] ?? [];
    for (const { name, columns } of meeting.live.uniques) {
      const rows = await markUnique(client, meeting, columns, own.length, onChanged);
      const why = `another live row has the same ${columns.map(({ column }) => column).join(', ')}`;
      if (rows > 0) own.push({ kind: 'unique', constraint: name, why, rows });
    }
  }
  // A row that stays out takes its children with it, so this goes on until nothing changes any more.
  for (let any = true; any;) {
    any = false;
    for (const meeting of meetings) {
      for (const key of meeting.live.foreignKeys) {
        if (await markOrphans(client, meeting, key, meetings, found[meeting.index] ?? [], onChanged)) any = true;
      }
    }
  }
  return found;
}

async function markUnique(
  client: Client,
  meeting: PgMeeting,
  unique: readonly KeyColumn[],
  number: number,
  onChanged: OnChanged,
): Promise<number> {
  const { key, columns, rows, live } = meeting;
  const isKey = unique.length === key.length && unique.every(({ column }) => key.some((one) => one.column === column));
  if (isKey || !unique.every(({ column }) => columns.includes(column))) return 0;
  const classes = wordsOf(writtenClasses(onChanged));
  const same = sameKey({ key: unique });
  const other = key.length === 0 ? '' : ` AND NOT (${sameKey(meeting)})`;
  // A live row that will itself become another one frees what it holds.
  const frees =
    onChanged === 'restore' && key.length > 0
      ? ` AND NOT EXISTS (SELECT FROM ${rows} r2 WHERE r2.holdfast_class = 'changed' AND ${sameKey(meeting, 'l', 'r2')})`
      : '';
  const { rowCount } = await client.query(
    `UPDATE ${rows} r SET holdfast_class = 'conflict', holdfast_why = ${number} WHERE r.holdfast_class IN (${classes})
       AND EXISTS (SELECT FROM ${fromTable(live)} l WHERE ${same}${other}${frees})`,
  );
  return rowCount ?? 0;
}

/** Whether any row was found whose parent is neither live nor among the rows that come back. */
async function markOrphans(
  client: Client,
  meeting: PgMeeting,
  key: PgForeignKey,
  meetings: readonly PgMeeting[],
  found: Conflict[],
  onChanged: OnChanged,
): Promise<boolean> {
  const { from, to, equals, parent, parentOid, name } = key;
  if (!from.every((column) => meeting.columns.includes(column))) return false;
  const classes = wordsOf(writtenClasses(onChanged));
  const complete = from.map((column) => `r.${id(column)} IS NOT NULL`).join(' AND ');
  const isParent = to.map((column, at) => `p.${id(column)} ${equals[at] ?? '='} r.${id(from[at] ?? '')}`).join(' AND ');
  const asked = meetings.find(({ live }) => live.oid === parentOid);
  const comes =
    asked === undefined || !to.every((column) => asked.columns.includes(column))
      ? ''
      : ` AND NOT EXISTS (SELECT FROM ${asked.rows} p WHERE ${isParent} AND p.holdfast_class IN (${classes}))`;
  const known = found.findIndex(({ constraint }) => constraint === name);
  const number = known === -1 ? found.length : known;
  const { rowCount } = await client.query(
    `UPDATE ${meeting.rows} r SET holdfast_class = 'conflict', holdfast_why = ${number}
      WHERE r.holdfast_class IN (${classes}) AND ${complete}
        AND NOT EXISTS (SELECT FROM ${parent} p WHERE ${isParent})${comes}`,
  );
  const rows = rowCount ?? 0;
  if (rows === 0) return false;
  const before = found[number];
  if (before !== undefined) before.rows += rows;
  else {
    const also = asked === undefined ? `: put ${parent} back too` : '';
    const why = `${textName(meeting.live)}(${from.join(', ')}) has no parent row in ${parent}(${to.join(', ')})${also}`;
    found.push({ kind: 'foreign key', constraint: name, why, rows });
  }
  return true;
}
