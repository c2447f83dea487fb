/**
 * The write-ahead log as a server streams it: START_REPLICATION over a replication connection of the client library,
 * whose types don't know that mode. PostgreSQL documentation: Streaming Replication Protocol, XLogData and the others.
 */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Client, QueryResult } from 'pg';
import { formatLsn, parseLsn } from '../policy/lsn.ts';

/** Microseconds from 1970 to 2000, where PostgreSQL's clock begins. */
const EPOCH_2000_US = 946_684_800_000_000n;
const XLOG_DATA = 0x77;
const KEEPALIVE = 0x6b;
const STATUS_UPDATE = 0x72;
const DATA_HEADER_BYTES = 25;
const STATUS_BYTES = 34;

/** What the library has and doesn't tell its types. */
interface Wire extends EventEmitter {
  readonly stream: Socket;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

export interface StreamStart {
  readonly slot: string;
  readonly timeline: number;
  readonly from: bigint;
  /** Bytes of the log, in order; the buffer is only good during the call. */
  readonly onData: (from: bigint, bytes: Buffer) => void;
  /** The server asks whether anybody is there. */
  readonly onAsked: () => void;
}

/** Where the log goes on when a timeline that is no more has been read to its end. */
export interface NextTimeline {
  readonly timeline: number;
  readonly at: bigint;
}

export interface WalStream {
  /** Settles at the end of the timeline, with undefined when the server shuts down; rejects with the server's error. */
  readonly ended: Promise<NextTimeline | undefined>;
  /** When anything came last, by this process's clock. */
  heardAtMs(): number;
  /** Tells the server what has come and what is stored for good: it may forget the latter. */
  confirm(received: bigint, stored: bigint): void;
  pause(): void;
  resume(): void;
}

/** Begins to stream. The caller ends the connection. */
export function startWalStream(client: Client, start: StreamStart): WalStream {
  const { connection } = client as unknown as { connection: Wire };
  let heardAtMs = Date.now();
  const onCopyData = ({ chunk }: { chunk: Buffer }): void => {
    heardAtMs = Date.now();
    if (chunk[0] === XLOG_DATA) start.onData(chunk.readBigUInt64BE(1), chunk.subarray(DATA_HEADER_BYTES));
    else if (chunk[0] === KEEPALIVE && chunk[17] === 1) start.onAsked();
  };
  const onCopyDone = (): void => {
    // The server waits for the same word before it tells the next timeline.
    connection.endCopyFrom();
  };
  connection.on('copyData', onCopyData);
  connection.on('copyDone', onCopyDone);
  const command = `START_REPLICATION SLOT "${start.slot}" PHYSICAL ${formatLsn(start.from)} TIMELINE ${start.timeline}`;
  const ended = (client.query(command) as Promise<QueryResult | QueryResult[]>).then(nextTimeline).finally(() => {
    connection.off('copyData', onCopyData);
    connection.off('copyDone', onCopyDone);
  });
  // Its user awaits it later.
  ended.catch(() => undefined);
  return {
    ended,
    heardAtMs: () => heardAtMs,
    confirm: (received, stored) => {
      connection.sendCopyFromChunk(statusUpdate(received, stored));
    },
    pause: () => void connection.stream.pause(),
    resume: () => void connection.stream.resume(),
  };
}

/** The server is asked to answer, so that a dead connection shows. */
function statusUpdate(received: bigint, stored: bigint): Buffer {
  const message = Buffer.alloc(STATUS_BYTES);
  message[0] = STATUS_UPDATE;
  message.writeBigUInt64BE(received, 1);
  message.writeBigUInt64BE(stored, 9);
  message.writeBigUInt64BE(0n, 17);
  message.writeBigInt64BE(BigInt(Date.now()) * 1000n - EPOCH_2000_US, 25);
  message[33] = 1;
  return message;
}

function nextTimeline(answer: QueryResult | QueryResult[]): NextTimeline | undefined {
  const rows = (Array.isArray(answer) ? answer : [answer]).flatMap((one) => one.rows as Record<string, unknown>[]);
  const row = rows.find((one) => 'next_tli' in one);
  if (row === undefined) return undefined;
  return { timeline: Number(row['next_tli']), at: parseLsn(String(row['next_tli_startpos'])) };
}
