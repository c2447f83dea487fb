/** A dump given to pg_restore while it is captured: read to its end and listed, without storing or fetching anything. */
import { HoldfastError } from '../../failures.ts';
import type { PostgresAccess } from '../../postgres/types.ts';

/** What a reader of the dump found. */
export interface DumpReading {
  /** Undefined: read to the end. Otherwise why not. */
  readonly problem: HoldfastError | undefined;
  /** What `pg_restore --list` printed; undefined when it refused. */
  readonly list: Buffer | undefined;
}

/** Reads with `pg_restore`, as a restore would, everything that it is given. */
export class DumpReader {
  private readonly feeds = [new Feed(), new Feed()] as const;
  private readonly stopped = new AbortController();
  private readonly reading: Promise<void>;
  private readonly listing: Promise<Buffer>;

  constructor(access: PostgresAccess, signal: AbortSignal) {
    const both = AbortSignal.any([signal, this.stopped.signal]);
    const [whole, list] = this.feeds;
    this.reading = readToEnd(access, ['--file=/dev/null'], whole, both).then(() => undefined);
    this.listing = readToEnd(access, ['--list'], list, both);
    // Heard at the end, or not at all when the dump itself fails.
    for (const one of [this.reading, this.listing]) one.catch(() => undefined);
  }

  /** Resolves when the bytes are their giver's again. */
  async give(bytes: Uint8Array): Promise<void> {
    await Promise.all(this.feeds.map((feed) => feed.give(bytes)));
  }

  /** Everything was given. Throws what is no verdict on the dump, such as a missing tool. */
  async end(): Promise<DumpReading> {
    for (const feed of this.feeds) feed.end();
    const [reading, listing] = await Promise.allSettled([this.reading, this.listing]);
    const problem = reading.status === 'rejected' ? refusal(reading.reason) : undefined;
    if (listing.status === 'rejected') return { problem: problem ?? refusal(listing.reason), list: undefined };
    return { problem, list: listing.value };
  }

  /** The dump failed: the tools are ended. A repeat, or one after the end, does nothing. */
  async stop(): Promise<void> {
    this.stopped.abort(new Error('the dump ended early'));
    for (const feed of this.feeds) feed.end();
    await Promise.allSettled([this.reading, this.listing]);
  }
}

async function readToEnd(access: PostgresAccess, args: string[], stdin: Feed, signal: AbortSignal): Promise<Buffer> {
  try {
    const { stdout, done } = await access.run('pg_restore', args, { signal, stdin });
    const pieces: Uint8Array[] = [];
    for await (const bytes of stdout) pieces.push(bytes);
    await done;
    return Buffer.concat(pieces);
  } finally {
    // What still comes is for nobody.
    stdin.close();
  }
}

/** What the dump is to blame for is a verdict; anything else is thrown. */
function refusal(error: unknown): HoldfastError {
  if (error instanceof HoldfastError && error.code === 'PostgresToolFailed') return error;
  throw error;
}

/** Hands bytes over, one piece after the other, to a reader that may leave before the end. */
class Feed implements AsyncIterable<Uint8Array> {
  private waiting: Uint8Array | undefined;
  private ended = false;
  private closed = false;
  private wakeReader: () => void = () => undefined;
  private wakeGiver: () => void = () => undefined;

  /** Resolves when the reader asks for the next piece, or has left. */
  async give(bytes: Uint8Array): Promise<void> {
    if (this.closed) return;
    this.waiting = bytes;
    const taken = new Promise<void>((resolve) => (this.wakeGiver = resolve));
    this.wakeReader();
    await taken;
  }

  /** No more will be given. */
  end(): void {
    this.ended = true;
    this.wakeReader();
  }

  close(): void {
    this.closed = true;
    this.wakeGiver();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.waiting === undefined) {
          if (this.ended) return;
          await new Promise<void>((resolve) => (this.wakeReader = resolve));
          continue;
        }
        const bytes = this.waiting;
        this.waiting = undefined;
        yield bytes;
        this.wakeGiver();
      }
    } finally {
      this.close();
    }
  }
}
