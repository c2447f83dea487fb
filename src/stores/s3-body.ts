/** The body of an answer, whole or not at all. */
import type { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { Attempt } from './retry.ts';
import { BrokenAnswerError } from './s3-errors.ts';

const MAX_OBJECT_BYTES = 256 * 1024 * 1024;

/** Throws BrokenAnswerError for a body that is not as long as announced, ObjectCorrupt for one that is none of ours. */
export async function readBody(answer: GetObjectCommandOutput, attempt: Attempt): Promise<Uint8Array> {
  const length = answer.ContentLength;
  const body = answer.Body as Readable | undefined;
  if (body === undefined || length === undefined) throw new BrokenAnswerError('an answer without a body or a length');
  if (length > MAX_OBJECT_BYTES) {
    body.destroy();
    throw new HoldfastError('ObjectCorrupt', `An object of ${length} bytes is none of ours.`);
  }
  const stop = () => body.destroy(new Error('given up'));
  attempt.signal.addEventListener('abort', stop);
  try {
    return await collect(body, length, attempt);
  } finally {
    attempt.signal.removeEventListener('abort', stop);
  }
}

async function collect(body: Readable, length: number, attempt: Attempt): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let got = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    attempt.progress();
    if (got + part.length > length) throw new BrokenAnswerError(`a body of more than its ${length} bytes`);
    bytes.set(part, got);
    got += part.length;
  }
  if (got < length) throw new BrokenAnswerError(`a body of ${got} instead of ${length} bytes`);
  return bytes;
}
