/** Opening on threads: decryption, unpacking and the check of the name happen away from the event loop. */
import { MAX_CHUNK_BYTES } from '../part.ts';
import { parseIdentities } from './age-keys.ts';
import { held, ThreadPool } from './thread-pool.ts';
import type { ExpectedChunk, OpenPool, OpenPoolOptions, SealedSource } from './types.ts';

export interface OpenThreadData {
  readonly identities: readonly string[];
  readonly chunkIdKey: Uint8Array | undefined;
}

export interface OpenRequest extends ExpectedChunk {
  readonly sealed: SealedSource;
  /** False: only the verdict is wanted. */
  readonly give: boolean;
}

const PER_THREAD = { jobsPerThread: 8, bytesPerThread: 3 * MAX_CHUNK_BYTES } as const;

/** Throws BadInput for identities that are none. Threads start with the first chunk. */
export function createOpenPool(options: OpenPoolOptions): OpenPool {
  // Here as well, so that a wrong identity is refused at once and not in a thread later.
  parseIdentities(options.identities);
  const { identities } = options;
  const workerData: OpenThreadData = {
    identities: [...identities],
    chunkIdKey: options.chunkIdKey === undefined ? undefined : Uint8Array.from(options.chunkIdKey),
  };
  const entry = new URL('./open-thread.ts', import.meta.url);
  const pool = new ThreadPool({ entry, workerData, threads: options.threads, ...PER_THREAD });
  const run = (source: SealedSource, expect: ExpectedChunk, give: boolean) => {
    const { lengthBytes } = expect;
    const own = source instanceof Uint8Array ? transferable(source) : undefined;
    const request: OpenRequest = { ...expect, sealed: own ?? source, give };
    return held(pool.run({ request, transfer: own === undefined ? [] : [own.buffer], bytes: lengthBytes }));
  };
  return {
    open: (sealed, expect) => run(sealed, expect, true) as Promise<Uint8Array>,
    check: (sealed, expect) => run(sealed, expect, false) as Promise<void>,
    ready: () => pool.ready(),
    close: () => pool.close(),
  };
}

/** The same bytes alone in their buffer: a view into a larger one, such as Node's pool, must not be given away. */
function transferable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const alone = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return alone && bytes.buffer instanceof ArrayBuffer ? new Uint8Array(bytes.buffer) : Uint8Array.from(bytes);
}
