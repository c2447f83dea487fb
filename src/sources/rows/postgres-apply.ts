/** Puts rows back into a live PostgreSQL database, in one transaction. */
import { escapeIdentifier as id, escapeLiteral, type Client } from 'pg';
import { HoldfastError } from '../../failures.ts';
import { parentsFirst } from '../../policy/parents-first.ts';
import { readJson, removeDurably, writeJsonDurably } from '../durable.ts';
import { writeLineFile } from './line-file.ts';
import { classify, countOf, sameKey, wordsOf, writtenClasses, type PgMeeting } from './postgres-compare.ts';
import { affectedDigest, changedColumns, compare, replacedLines, type PgQuestion } from './postgres-preview.ts';
import { fromTable, sqlName, textName } from './postgres-tables.ts';

export interface PgOrder extends PgQuestion {
  readonly affectedSha256: string;
  readonly intentFile: string;
  readonly replacedFile: string;
}

export interface PgWritten {
  readonly added: number;
  readonly replaced: number;
  /** An earlier attempt had done it. */
  readonly before: boolean;
  readonly sequences: readonly string[];
}

interface Intent {
  readonly affectedSha256: string;
  /** Of the transaction that writes: the server itself says later whether it was committed. */
  readonly transaction: string;
  readonly added: number;
  readonly replaced: number;
}

/** How long a lock of somebody else is waited for, in one attempt. */
const LOCK_LIMIT = '60s';

/**
 * Throws PlanChanged when the rows concerned are others than those approved, CheckFailed when a constraint or a trigger
 * stands in the way, PostgresLocked. Unless it was committed nothing is written.
 */
export async function applyRows(side: Client, live: Client, order: PgOrder): Promise<PgWritten> {
  const earlier = await committedBefore(live, order);
  if (earlier !== undefined) return { ...earlier, before: true, sequences: [] };
  const compared = await compare(side, live, order);
  const affected = await affectedDigest(live, compared, order.onChanged);
  await live.query('COMMIT');
  if (affected !== order.affectedSha256) throw changed();
  return write(live, compared.meetings, order);
}

function changed(): HoldfastError {
  return new HoldfastError('PlanChanged', 'other rows are missing or different than when the preview was approved');
}

async function committedBefore(live: Client, { intentFile, affectedSha256 }: PgOrder): Promise<Intent | undefined> {
  const intent = (await readJson(intentFile)) as Intent | undefined;
  if (intent?.affectedSha256 !== affectedSha256) return undefined;
  const { rows } = await live.query<{ status: string | null }>('SELECT txid_status($1::bigint) AS status', [
    intent.transaction,
  ]);
  const status = rows[0]?.status ?? null;
  if (status === 'committed') return intent;
  if (status === 'aborted') return undefined;
  if (status === 'in progress') {
    throw new HoldfastError('PostgresConflict', `an earlier attempt still runs as transaction ${intent.transaction}`);
  }
  throw new HoldfastError(
    'CheckFailed',
    `the server does not know any more what became of transaction ${intent.transaction}`,
    {
      hint: 'Look at the rows, and start the operation again: it compares anew.',
    },
  );
}

async function write(live: Client, meetings: readonly PgMeeting[], order: PgOrder): Promise<PgWritten> {
  const { onChanged } = order;
  try {
    await live.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    await live.query(`SET LOCAL lock_timeout = ${escapeLiteral(LOCK_LIMIT)}`);
    await live.query('SET CONSTRAINTS ALL DEFERRED');
    const [made] = meetings.flatMap(({ gone }) => gone ?? []);
    if (made !== undefined) await define(live, made.before);
    for (const meeting of meetings.filter(({ gone }) => gone === undefined)) await holdAndCompare(live, meeting, order);
    const intent = await intend(live, meetings, order);
    if (onChanged === 'restore') await keepReplaced(live, meetings, order.replacedFile);
    for (const meeting of inOrder(meetings)) {
      if (onChanged === 'restore') await update(live, meeting);
      await insert(live, meeting);
    }
    for (const meeting of meetings) await mustBeEqual(live, meeting, writtenClasses(onChanged));
    const sequences = await raiseSequences(live, meetings);
    if (made !== undefined) await define(live, made.after);
    await live.query('COMMIT');
    return { added: intent.added, replaced: intent.replaced, before: false, sequences };
  } catch (error) {
    await live.query('ROLLBACK').catch(() => undefined);
    throw refusedBy(error);
  }
}

/** Somebody else may have made the table meanwhile. The settings that a dump begins with are for this session only. */
async function define(live: Client, sql: string): Promise<void> {
  try {
    await live.query(sql);
  } catch (error) {
    if ((error as { code?: string }).code === '42P07') throw changed();
    throw error;
  } finally {
    await live.query('SET search_path = pg_catalog').catch(() => undefined);
  }
}

/** Class 23: integrity; P0001: a trigger said no. */
function refusedBy(error: unknown): unknown {
  if (error instanceof HoldfastError || !(error instanceof Error)) return error;
  const { code = '', constraint, table } = error as { code?: string; constraint?: string; table?: string };
  if (!code.startsWith('23') && code !== 'P0001') return error;
  // The server's own detail holds values of the row.
  const where = [table, constraint].filter((part) => part !== undefined).join(', ');
  const about = where === '' ? '' : ` (${where})`;
  return new HoldfastError(
    'CheckFailed',
    `the live database refuses the rows: ${error.message}${about}; nothing was written`,
    {
      hint: 'Leave the rows concerned out by the condition, or put what they depend on back as well.',
    },
  );
}

/** The rows that will be replaced are held; where nothing tells rows apart, other writers wait. */
async function holdAndCompare(live: Client, meeting: PgMeeting, { onChanged }: PgOrder): Promise<void> {
  const { rows, live: table } = meeting;
  const classes = writtenClasses(onChanged);
  if (meeting.matchedBy === 'whole row') await live.query(`LOCK TABLE ${fromTable(table)} IN SHARE ROW EXCLUSIVE MODE`);
  else if (onChanged === 'restore') {
    await live.query(
      `SELECT FROM ${fromTable(table)} l JOIN ${rows} r ON ${sameKey(meeting)} WHERE r.holdfast_class = 'changed' FOR UPDATE OF l`,
    );
  }
  const before = await classesOf(live, meeting);
  await classify(live, meeting, classes);
  if ((await classesOf(live, meeting)) !== before) throw changed();
}

async function classesOf(live: Client, { rows }: PgMeeting): Promise<string> {
  const { rows: groups } = await live.query(
    `SELECT holdfast_class, holdfast_cols, count(*)::text FROM ${rows} GROUP BY 1, 2 ORDER BY 1, 2`,
  );
  return JSON.stringify(groups);
}

/** Durable before anything is committed, so that a lost word is no question afterwards. */
async function intend(live: Client, meetings: readonly PgMeeting[], order: PgOrder): Promise<Intent> {
  let [added, replaced] = [0, 0];
  for (const meeting of meetings) {
    added += await countOf(live, meeting, ['missing']);
    if (order.onChanged === 'restore') replaced += await countOf(live, meeting, ['changed']);
  }
  const { rows } = await live.query<{ transaction: string }>('SELECT txid_current()::text AS transaction');
  const intent = { affectedSha256: order.affectedSha256, transaction: rows[0]?.transaction ?? '', added, replaced };
  await removeDurably(order.intentFile);
  await writeJsonDurably(order.intentFile, intent);
  return intent;
}

async function keepReplaced(live: Client, meetings: readonly PgMeeting[], path: string): Promise<void> {
  await writeLineFile(
    path,
    (async function* () {
      for (const meeting of meetings.filter(({ key }) => key.length > 0)) {
        yield* replacedLines(live, meeting, sameKey(meeting), fromTable(meeting.live));
      }
    })(),
  );
}

function inOrder(meetings: readonly PgMeeting[]): PgMeeting[] {
  return parentsFirst(meetings, ({ live }) =>
    meetings.filter(
      (other) => other.live.oid !== live.oid && live.foreignKeys.some(({ parentOid }) => parentOid === other.live.oid),
    ),
  );
}

/** One statement, so that rows which refer to each other come together. Identity columns take the values they had. */
async function insert(live: Client, { live: table, columns, rows }: PgMeeting): Promise<void> {
  const names = columns.map(id).join(', ');
  await live.query(
    `INSERT INTO ${sqlName(table)} (${names}) OVERRIDING SYSTEM VALUE
     SELECT ${names} FROM ${rows} WHERE holdfast_class = 'missing' ORDER BY holdfast_n`,
  );
}

/** Only columns that differ somewhere: a key's too, which can differ in its letters and be the same to its index. */
async function update(live: Client, meeting: PgMeeting): Promise<void> {
  const changing = (await changedColumns(live, meeting)).map(({ column }) => column);
  if (changing.length === 0) return;
  const set = changing.map((column) => `${id(column)} = r.${id(column)}`).join(', ');
  await live.query(
    `UPDATE ${fromTable(meeting.live)} AS l SET ${set} FROM ${meeting.rows} r WHERE r.holdfast_class = 'changed' AND ${sameKey(meeting)}`,
  );
}

/** Inside the transaction: what differs now, a trigger or a rule did. */
async function mustBeEqual(live: Client, meeting: PgMeeting, classes: readonly string[]): Promise<void> {
  const expected = await countOf(live, meeting, ['same', ...classes]);
  await live.query(`UPDATE ${meeting.rows} SET holdfast_why = -1 WHERE holdfast_class IN (${wordsOf(classes)})`);
  await classify(live, meeting, classes);
  const wrong = expected - (await countOf(live, meeting, ['same']));
  if (wrong === 0) return;
  throw new HoldfastError(
    'CheckFailed',
    `${wrong} rows of ${textName(meeting.live)} were not as in the backup after they had been written; nothing was kept`,
    { hint: 'A trigger changes or removes them: disable it for the time of the restore.' },
  );
}

/**
 * A sequence behind a column never gives a value again that a row has. It is held first (any ALTER but OWNED BY keeps
 * others from drawing from it), so that it can only go up; where it is high enough already it is left alone.
 */
async function raiseSequences(live: Client, meetings: readonly PgMeeting[]): Promise<string[]> {
  const raised: string[] = [];
  for (const { live: table, columns, rows } of meetings) {
    for (const column of columns) {
      const { rows: found } = await live.query<{ name: string | null; highest: string | null }>(
        `SELECT pg_get_serial_sequence($1, $2) AS name,
                (SELECT max(${id(column)}::text::numeric)::text FROM ${rows} WHERE holdfast_why = -1 AND pg_get_serial_sequence($1, $2) IS NOT NULL) AS highest`,
        [sqlName(table), column],
      );
      const { name = null, highest = null } = found[0] ?? {};
      if (name === null || highest === null) continue;
      if (await raise(live, name, BigInt(highest))) raised.push(`${name} to ${highest}`);
    }
  }
  return raised;
}

async function raise(live: Client, sequence: string, highest: bigint): Promise<boolean> {
  const current = async (): Promise<{ last: bigint; step: string }> => {
    const { rows } = await live.query<{ last: string; step: string }>(
      `SELECT (CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - q.seqincrement END)::text AS last, q.seqincrement::text AS step FROM ${sequence} s, pg_sequence q WHERE q.seqrelid = $1::regclass`,
      [sequence],
    );
    return { last: BigInt(rows[0]?.last ?? '0'), step: rows[0]?.step ?? '1' };
  };
  const { last, step } = await current();
  if (last >= highest || step.startsWith('-')) return false;
  await live.query(`ALTER SEQUENCE ${sequence} INCREMENT BY ${step}`);
  if ((await current()).last >= highest) return false;
  await live.query(`ALTER SEQUENCE ${sequence} RESTART WITH ${(highest + 1n).toString()}`);
  return true;
}
