/**
 * COPY as a stream, in both directions, with back pressure: what one side can't take, the other does not send. The data
 * is PostgreSQL's text format, which holds every type as its own output function writes it (documentation, COPY).
 */
import type { Client, Connection, Submittable } from 'pg';

/** What the client library calls, and does not declare (pg 8: lib/client.js, lib/connection.js). */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Uint8Array): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

const HIGH_WATER_BYTES = 1024 * 1024;

/** The rows of `COPY … TO STDOUT`. A reader that leaves early must end the connection: the rest is still coming. */
export async function* copyOut(client: Client, sql: string): AsyncGenerator<Uint8Array> {
  const copy = new CopyOut(sql);
  client.query(copy);
  for (;;) {
    const chunk = await copy.next();
    if (chunk === undefined) return;
    yield chunk;
  }
}

/** Feeds `COPY … FROM STDIN`; resolves with the number of rows when the server has taken all of it. */
export async function copyIn(client: Client, sql: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  const copy = new CopyIn(sql, bytes);
  client.query(copy);
  return copy.done.promise;
}

class CopyOut implements Submittable {
  private readonly sql: string;
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private ended = false;
  private failure: Error | undefined;
  private connection: Connection | undefined;
  private wake: () => void = () => undefined;

  constructor(sql: string) {
    this.sql = sql;
  }

  submit(connection: Connection): void {
    this.connection = connection;
    connection.query(this.sql);
  }

  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.waiting.shift();
      if (chunk !== undefined) {
        this.waitingBytes -= chunk.length;
        if (this.waitingBytes < HIGH_WATER_BYTES) this.connection?.stream.resume();
        return chunk;
      }
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  handleCopyData({ chunk }: { readonly chunk: Uint8Array }): void {
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    if (this.waitingBytes >= HIGH_WATER_BYTES) this.connection?.stream.pause();
    this.wake();
  }

  handleError(error: Error): void {
    this.failure = error;
    this.wake();
  }

  handleReadyForQuery(): void {
    this.ended = true;
    this.wake();
  }

  handleRowDescription(): void {
    // There is none in a COPY.
  }

  handleCommandComplete(): void {
    // The end of the copy; the connection is free only when it is ready for a query.
  }
}

class CopyIn implements Submittable {
  readonly done = Promise.withResolvers<number>();
  private readonly sql: string;
  private readonly bytes: AsyncIterable<Uint8Array>;
  private rows = 0;
  /** Of the source: the server only says that the copy was given up. */
  private cause: unknown;
  private failure: Error | undefined;

  constructor(sql: string, bytes: AsyncIterable<Uint8Array>) {
    this.sql = sql;
    this.bytes = bytes;
  }

  submit(connection: Connection): void {
    connection.query(this.sql);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    void this.feed(connection);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.rows = Number(/^COPY (\d+)$/.exec(text)?.[1] ?? 0);
  }

  handleError(error: Error): void {
    this.failure = error;
    this.done.reject(this.cause === undefined ? error : asError(this.cause));
  }

  handleReadyForQuery(): void {
    if (this.failure === undefined) this.done.resolve(this.rows);
  }

  handleRowDescription(): void {
    // There is none in a COPY.
  }

  private async feed(connection: CopyConnection): Promise<void> {
    try {
      for await (const chunk of this.bytes) {
        if (this.failure !== undefined) return;
        connection.sendCopyFromChunk(chunk);
        if (connection.stream.writableNeedDrain) await drained(connection);
      }
      connection.endCopyFrom();
    } catch (error) {
      this.cause = error;
      connection.sendCopyFail('the source of the rows failed');
    }
  }
}

function drained({ stream }: Connection): Promise<void> {
  return new Promise((resolve) => {
    const settled = (): void => {
      for (const event of ['drain', 'close', 'error']) stream.off(event, settled);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) stream.once(event, settled);
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
