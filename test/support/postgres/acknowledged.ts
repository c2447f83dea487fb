/**
 * A client that knows what it was promised: it commits numbered rows one after another over several connections, and
 * remembers when the server acknowledged each. What a recovered server has lost is told in seconds before the kill.
 */
import { performance } from 'node:perf_hooks';
import type { Client } from 'pg';
import type { PostgresServer } from '../postgres.ts';

export interface Loss {
  /** Transactions acknowledged in all. */
  readonly acknowledged: number;
  /** Acknowledged and not there any more. */
  readonly lost: number;
  /** From the oldest lost one's acknowledgement to the kill; 0 when none was lost. */
  readonly seconds: number;
  /** When the oldest lost one was acknowledged, on the clock of `Date.now()`; the kill when none was lost. */
  readonly oldestLostAtMs: number;
}

export interface Recorder {
  /** How many were acknowledged so far. */
  count(): number;
  /** Resolves when every connection has ended because the server is gone, or after `end`. */
  ended(): Promise<void>;
  end(): Promise<void>;
  /**
   * Compares with what a recovered server has. Throws when it has rows that nobody sent, or others than those sent:
   * a row that was committed while its acknowledgement was under way may be there or not.
   */
  lossOn(recovered: PostgresServer, killedAtMs: number): Promise<Loss>;
}

const TABLE = 'holdfast_acknowledged';

/** `killedAtMs` and the acknowledgements are on the clock of `performance.now()`. */
export async function recordAcknowledged(
  server: PostgresServer,
  options: { database?: string; connections?: number } = {},
): Promise<Recorder> {
  const { database = 'postgres', connections = 2 } = options;
  const login = { database };
  await server.sql(`CREATE TABLE ${TABLE} (writer int, number int, word text, PRIMARY KEY (writer, number))`, login);
  const times: number[][] = [];
  const state = { stopping: false };
  const writers: Promise<void>[] = [];
  for (let writer = 0; writer < connections; writer += 1) {
    const acknowledged: number[] = [];
    times.push(acknowledged);
    const client = await server.client(login);
    // The query in flight says the same; unheard, the event would end the process.
    client.on('error', () => undefined);
    const writing = write(client, writer, acknowledged, state);
    // Whoever awaits it hears of a failure; until somebody does, it must not end the process.
    writing.catch(() => undefined);
    writers.push(writing);
  }
  return {
    count: () => times.reduce((sum, each) => sum + each.length, 0),
    async ended() {
      await Promise.all(writers);
    },
    async end() {
      state.stopping = true;
      await Promise.all(writers);
    },
    lossOn: (recovered, killedAtMs) => compare(recovered, login, times, killedAtMs),
  };
}

async function write(
  client: Client,
  writer: number,
  acknowledged: number[],
  state: { readonly stopping: boolean },
): Promise<void> {
  try {
    while (!state.stopping) {
      const number = acknowledged.length;
      await client.query(`INSERT INTO ${TABLE} VALUES ($1, $2, $3)`, [writer, number, wordOf(writer, number)]);
      acknowledged.push(performance.now());
    }
    await client.end();
  } catch (error) {
    if (!isCut(error)) throw error;
  }
}

function wordOf(writer: number, number: number): string {
  return `${writer}/${number}/${((number + 1) * 2654435761) % 4294967296}`;
}

function isCut(error: unknown): boolean {
  const { code, message = '' } = error as { code?: string; message?: string };
  return (
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    code === '57P01' ||
    /terminated|closed|ended|not queryable/i.test(message)
  );
}

async function compare(
  recovered: PostgresServer,
  login: { database: string },
  times: readonly (readonly number[])[],
  killedAtMs: number,
): Promise<Loss> {
  // The table itself may be among what was lost.
  const isThere = (await recovered.value(`SELECT to_regclass('${TABLE}') IS NOT NULL`, login)) === true;
  const rows = !isThere
    ? []
    : await recovered.sql(`SELECT writer, number, word FROM ${TABLE} ORDER BY writer, number`, login);
  const there = times.map(() => new Set<number>());
  for (const { writer, number, word } of rows) {
    const [by, at] = [Number(writer), Number(number)];
    const sent = (times[by]?.length ?? -1) + 1;
    if (at >= sent || word !== wordOf(by, at)) throw new Error(`row ${by}/${at} was never sent as it is there`);
    there[by]?.add(at);
  }
  const lost = times.flatMap((acknowledged, by) => acknowledged.filter((_, number) => there[by]?.has(number) !== true));
  const acknowledged = times.reduce((sum, each) => sum + each.length, 0);
  const oldest = Math.min(killedAtMs, ...lost);
  const seconds = (killedAtMs - oldest) / 1000;
  return { acknowledged, lost: lost.length, seconds, oldestLostAtMs: performance.timeOrigin + oldest };
}
