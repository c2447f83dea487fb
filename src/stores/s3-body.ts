/** The body of an answer, whole or not at all. */
import type { Readable } from 'node:stream';
import { HoldfastError } from '../failures.ts';
import type { Attempt } from './retry.ts';
import { BrokenAnswerError } from './broken-answer.ts';

const MAX_OBJECT_BYTES = 256 * 1024 * 1024;

/** `room` is as for `Store.get`. Throws BrokenAnswerError for a body that is not as long as announced, ObjectCorrupt for one that is none of ours. */
export async function readBody(
  answer: { readonly ContentLength?: number | undefined; readonly Body?: unknown },
  attempt: Attempt,
  room?: Uint8Array,
): Promise<Uint8Array> {
  const length = answer.ContentLength;
  const body = answer.Body as Readable | undefined;
  if (body === undefined || length === undefined) {
    body?.destroy();
    throw new BrokenAnswerError('an answer without a body or a length');
  }
  if (length > MAX_OBJECT_BYTES) {
    body.destroy();
    throw new HoldfastError('ObjectCorrupt', `An object of ${length} bytes is none of ours.`);
  }
  const stop = () => body.destroy(new Error('given up'));
  attempt.signal.addEventListener('abort', stop);
  try {
    const into = room === undefined || room.length < length ? Buffer.allocUnsafeSlow(length) : room.subarray(0, length);
    return await collect(body, into, attempt);
  } finally {
    attempt.signal.removeEventListener('abort', stop);
  }
}

/** By its events: an iterator costs more than a small body itself. */
function collect(body: Readable, into: Uint8Array, attempt: Attempt): Promise<Uint8Array> {
  const { length } = into;
  let got = 0;
  let last: Buffer | undefined;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      if (got === length) resolve(into);
      else reject(body.errored ?? new BrokenAnswerError(`a body of ${got} instead of ${length} bytes`));
    };
    body.on('data', (part: Buffer) => {
      attempt.progress();
      if (got + part.length > length) {
        reject(new BrokenAnswerError(`a body of more than its ${length} bytes`));
        body.destroy();
        return;
      }
      into.set(part, got);
      got += part.length;
      // Not this one: what parses the connection may still be at it.
      if (last !== undefined) free(last);
      last = part;
    });
    body.once('error', reject);
    body.once('end', end);
    // Cut before its end without an error of its own; also when that was before anybody listened.
    body.once('close', end);
    if (body.destroyed) end();
  });
}

/** Gives memory back now: what waits for the collector makes it run the more often, over everything that lives. */
function free(part: Buffer): void {
  const { buffer } = part;
  if (buffer instanceof ArrayBuffer && part.length === buffer.byteLength) buffer.transfer(0);
}
