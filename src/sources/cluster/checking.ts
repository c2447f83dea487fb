/** The check of a base backup on a thread of its own, seen from the event loop. */
import { ThreadPool } from '../../seal/thread-pool.ts';
import type { ClusterVerdict } from './check.ts';
import type { CheckRequest } from './check-thread.ts';
import { SLAB_BYTES, SlabStream } from '../../seal/slabs.ts';
import type { Taken } from '../../seal/slabs.ts';

/** What waits for the thread at most: the rest waits at the source. */
const MOST_WAITING = 8;

export class ClusterChecking {
  private readonly pool = new ThreadPool({
    entry: new URL('./check-thread.ts', import.meta.url),
    workerData: undefined,
    // One: a file is hashed in order.
    threads: 1,
    jobsPerThread: MOST_WAITING,
    bytesPerThread: MOST_WAITING * SLAB_BYTES,
  });
  private readonly waiting = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  /**
   * The next bytes of the tar, in memory that threads share, which must not change before `done` was called. Resolves when
   * more may come. Throws ArchiveBroken for what came before.
   */
  async push(bytes: Uint8Array, done: () => void): Promise<void> {
    const work: Promise<void> = this.ask({ bytes })
      .then(
        () => undefined,
        (error: unknown) => {
          this.failure ??= { error };
        },
      )
      .finally(() => {
        this.waiting.delete(work);
        done();
      });
    this.waiting.add(work);
    while (this.waiting.size >= MOST_WAITING) await Promise.race(this.waiting);
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Pieces that are done with together. */
  async pushAll({ pieces, done }: Taken): Promise<void> {
    const [last] = pieces.slice(-1);
    // In order, so that the last one is the last to be done.
    for (const piece of pieces) await this.push(piece, piece === last ? done : () => undefined);
  }

  /** All has been pushed. Throws what ClusterCheck throws. */
  async verdict(segmentBytes: number): Promise<ClusterVerdict> {
    await Promise.all(this.waiting);
    if (this.failure !== undefined) throw this.failure.error;
    return (await this.ask({ segmentBytes })) as ClusterVerdict;
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private ask(request: CheckRequest): Promise<unknown> {
    return this.pool.run({ request, transfer: [], bytes: 'bytes' in request ? request.bytes.length : 0 });
  }
}

/** Gives the bytes on to whoever reads them, after they were copied for the check. */
export async function* checkedOnTheWay(
  bytes: AsyncIterable<Uint8Array>,
  checking: ClusterChecking,
): AsyncGenerator<Uint8Array> {
  const stream = new SlabStream(1);
  const reader = stream.reader();
  for await (const piece of bytes) {
    stream.write(piece);
    await checking.pushAll(reader.take(piece.length));
    yield piece;
  }
}
