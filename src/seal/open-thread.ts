/** An opening thread: reads a sealed chunk if told to, opens and unpacks it, and compares it with its name and length. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { HoldfastError } from '../failures.ts';
import { AgeOpener } from './age.ts';
import { parseIdentities } from './age-keys.ts';
import { decompress } from './compress.ts';
import { freeNow } from './free.ts';
import type { OpenRequest, OpenThreadData } from './open-pool.ts';
import { chunkId } from './small.ts';
import { serveJobs } from './thread-messages.ts';
import type { StepOutcome } from './thread-messages.ts';

const data = workerData as OpenThreadData;
const opener = new AgeOpener(parseIdentities(data.identities));
/** Headers for many recipients, and what zstd and age add to bytes that do not compress. */
const SEALING_OVERHEAD_BYTES = 256 * 1024;
const POOLED_BYTES = 64 * 1024;
/** Used again for every chunk: fresh memory is dear. */
let fileBuffer = Buffer.alloc(0);
let packedBuffer = Buffer.alloc(0);

function request(_job: number, body: unknown): StepOutcome {
  const asked = body as OpenRequest;
  try {
    const { sealed } = asked;
    const plain = openChunk(sealed instanceof Uint8Array ? sealed : readWhole(sealed.path, asked.lengthBytes), asked);
    if (sealed instanceof Uint8Array) freeNow(sealed);
    if (asked.give) return { type: 'done', body: plain, transfer: [plain.buffer] };
    freeNow(plain);
    return { type: 'done', body: undefined, transfer: [] };
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    throw new HoldfastError(cause.code, `Chunk ${asked.id}: ${cause.message}`, { cause: cause.cause });
  }
}

function openChunk(sealed: Uint8Array, asked: OpenRequest): Uint8Array<ArrayBuffer> {
  const { id, lengthBytes, atMost } = asked;
  mustFit(sealed.length, lengthBytes);
  packedBuffer = roomFor(packedBuffer, sealed.length);
  const plain = decompress(opener.open(sealed, packedBuffer), lengthBytes, lengthBytes);
  if (atMost !== true && plain.length !== lengthBytes) {
    throw new HoldfastError('ObjectCorrupt', `it holds ${plain.length} bytes instead of ${lengthBytes}.`);
  }
  if (data.chunkIdKey !== undefined && chunkId(data.chunkIdKey, plain) !== id) {
    throw new HoldfastError('ObjectCorrupt', 'its content does not have its name: it was swapped with another.');
  }
  // Small results may lie in Node's shared pool, which cannot be transferred.
  return lengthBytes < POOLED_BYTES ? Uint8Array.from(plain) : plain;
}

function mustFit(sealedBytes: number, plainBytes: number): void {
  const limit = plainBytes + SEALING_OVERHEAD_BYTES;
  if (sealedBytes <= limit) return;
  throw new HoldfastError('ObjectCorrupt', `it has ${sealedBytes} bytes sealed, at most ${limit} can be.`);
}

/** The bytes of a small file, in a buffer that is used again for the next one. Throws ObjectMissing, ObjectCorrupt. */
function readWhole(path: string, plainBytes: number): Uint8Array {
  const fd = openObject(path);
  try {
    const size = fstatSync(fd).size;
    mustFit(size, plainBytes);
    fileBuffer = roomFor(fileBuffer, size);
    let got = 0;
    while (got < size) {
      const count = readSync(fd, fileBuffer, got, size - got, got);
      if (count === 0) break;
      got += count;
    }
    return fileBuffer.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}

function roomFor(buffer: Buffer<ArrayBuffer>, bytes: number): Buffer<ArrayBuffer> {
  return buffer.length < bytes ? Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes))) : buffer;
}

function openObject(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT') throw new HoldfastError('ObjectMissing', `${path} does not exist.`, { cause });
    if (code === 'EACCES') throw new HoldfastError('StoreDenied', `${path} may not be read.`, { cause });
    throw new HoldfastError('StoreUnreachable', `${path} cannot be opened (${String(code)}).`, { cause });
  }
}

serveJobs({
  request,
  answer: () => {
    throw new Error('nothing was asked');
  },
  release: () => undefined,
});
