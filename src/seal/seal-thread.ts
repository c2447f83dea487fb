/**
 * A sealing thread: reads the pieces of a chunk, names it, asks whether it is wanted, compresses and seals it, and writes
 * it where it belongs when it is told the place.
 */
import { hash } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import type { AgeSealer } from './age.ts';
import { ageSealedLength, ageSealWith } from './age.ts';
import { BestMemory } from './best-memory.ts';
import { placeFile } from './place-file.ts';
import { readPieces } from './read-pieces.ts';
import type { NamedChunk, SealRequest, SealThreadData, ThreadSealed } from './seal-pool.ts';
import { chunkId } from './small.ts';
import { freeNow } from './free.ts';
import { serveJobs } from './thread-messages.ts';
import type { StepOutcome } from './thread-messages.ts';
import type { FilePlace } from './types.ts';

interface HeldChunk extends NamedChunk {
  /** Where its bytes lie: in a buffer of this thread, or in memory that others share. */
  readonly plain: readonly Uint8Array[];
  readonly series: string | undefined;
}

const data = workerData as SealThreadData;
const sealer: AgeSealer = { fileKey: data.fileKey, header: data.header };
const memory = new BestMemory(data.level);
const held = new Map<number, HeldChunk>();
/** By the job that fills it. */
const filled = new Map<number, Buffer>();
/** Buffers are used again: a fresh one for every chunk would have to be zeroed by the kernel, page by page. */
const spare: Buffer[] = [];
const SMALLEST_BUFFER_BYTES = 256 * 1024;
let sealedBuffer = Buffer.alloc(0);

/** Given back when the job is over, however it ends. */
function takeBuffer(job: number, length: number): Buffer {
  const index = spare.findIndex((buffer) => buffer.length >= length);
  const [found] = index < 0 ? [] : spare.splice(index, 1);
  // One that was too small makes room, so that a thread never keeps more buffers than jobs.
  if (found === undefined) spare.pop();
  const buffer = found ?? Buffer.allocUnsafeSlow(Math.max(SMALLEST_BUFFER_BYTES, 2 ** Math.ceil(Math.log2(length))));
  filled.set(job, buffer);
  return buffer.subarray(0, length);
}

function request(job: number, body: unknown): StepOutcome {
  const { pieces, lengthBytes, series } = body as SealRequest;
  let plain: readonly Uint8Array[];
  let changed: readonly string[] = [];
  if (pieces instanceof Uint8Array) {
    const buffer = takeBuffer(job, lengthBytes);
    changed = readPieces(pieces, buffer);
    plain = [buffer];
  } else plain = pieces;
  const named: NamedChunk = { id: chunkId(data.chunkIdKey, ...plain), lengthBytes, changed };
  held.set(job, { ...named, plain, series });
  return { type: 'ask', body: named };
}

/** The bytes in one piece. */
function joined(job: number, { plain, lengthBytes }: HeldChunk): Uint8Array {
  const [first] = plain;
  if (plain.length === 1 && first?.length === lengthBytes) return first;
  const buffer = takeBuffer(job, lengthBytes);
  let at = 0;
  for (const piece of plain) {
    buffer.set(piece, at);
    at += piece.length;
  }
  if (at !== lengthBytes) throw new Error(`a chunk's pieces have ${at} bytes, its recipe says ${lengthBytes}`);
  return buffer;
}

function answer(job: number, wanted: unknown): StepOutcome {
  const chunk = held.get(job);
  if (chunk === undefined) throw new Error('a chunk was answered for that is not held');
  const { id, lengthBytes, changed, series } = chunk;
  const base = { id, lengthBytes, changed };
  if (wanted === false)
    return { type: 'done', body: { ...base, sealed: undefined } satisfies ThreadSealed, transfer: [] };
  const packed = memory.compress(joined(job, chunk), series);
  const own = wanted === true;
  const room = own ? undefined : sealedRoom(ageSealedLength(sealer, packed.length));
  const sealed = ageSealWith(sealer, packed, room);
  freeNow(packed);
  const named = { ...base, sealedSha256: hash('sha256', sealed) };
  if (!own && placeFile(wanted as FilePlace, sealed)) {
    const body = { ...named, sealed: undefined, placedBytes: sealed.length } satisfies ThreadSealed;
    return { type: 'done', body, transfer: [] };
  }
  const given = own ? sealed : Uint8Array.from(sealed);
  return { type: 'done', body: { ...named, sealed: given } satisfies ThreadSealed, transfer: [given.buffer] };
}

/** A buffer that is used again for every chunk that this thread puts into its place itself. */
function sealedRoom(length: number): Uint8Array<ArrayBuffer> {
  if (sealedBuffer.length < length) sealedBuffer = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(length)));
  return sealedBuffer.subarray(0, length);
}

function release(job: number): void {
  held.delete(job);
  const buffer = filled.get(job);
  if (buffer === undefined) return;
  filled.delete(job);
  spare.push(buffer);
}

serveJobs({ request, answer, release });
