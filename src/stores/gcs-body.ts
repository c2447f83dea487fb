/** An object of a Google bucket as bytes. */
import type { Readable } from 'node:stream';
import { CRC32C } from '@google-cloud/storage';
import type { File } from '@google-cloud/storage';
import { HoldfastError } from '../failures.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { md5Of } from './gcs-calls.ts';
import type { Attempt } from './retry.ts';

const MAX_OBJECT_BYTES = 256 * 1024 * 1024;
const LISTENERS_OF_CLIENT = 32;

interface Announced {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** The file whole, as it lies there, held against the checksum that Google sends along. Throws as its client does. */
export async function readFileOf(file: File, attempt: Attempt): Promise<Uint8Array> {
  attempt.signal.throwIfAborted();
  const stream: Readable = file.createReadStream({ validation: false, decompress: false });
  const stop = (): void => void stream.destroy(new Error('given up'));
  attempt.signal.addEventListener('abort', stop, { once: true });
  let announced: Announced | undefined;
  stream.once('response', (response: Announced & Readable) => {
    announced = response;
    // The client's layers all listen to it, which Node takes for a leak.
    response.setMaxListeners(LISTENERS_OF_CLIENT);
  });
  const parts: Buffer[] = [];
  let got = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      attempt.progress();
      parts.push(part);
      got += part.length;
      if (got > MAX_OBJECT_BYTES) {
        throw new HoldfastError('ObjectCorrupt', `An object of more than ${MAX_OBJECT_BYTES} bytes is none of ours.`);
      }
    }
  } catch (cause) {
    attempt.signal.throwIfAborted();
    throw cause;
  } finally {
    attempt.signal.removeEventListener('abort', stop);
  }
  const bytes = Buffer.allocUnsafeSlow(got);
  let at = 0;
  for (const part of parts) at += part.copy(bytes, at);
  check(bytes, announced?.headers ?? {});
  return bytes;
}

function check(bytes: Buffer, headers: Announced['headers']): void {
  const hashes = headers['x-goog-hash'];
  const md5 = /md5=([^,\s]+)/.exec(hashes ?? '')?.[1];
  const crc32c = /crc32c=([^,\s]+)/.exec(hashes ?? '')?.[1];
  if (md5 === undefined && crc32c === undefined) throw new BrokenAnswerError('an answer that is not from this store');
  // MD5 first: the platform computes it ten times faster than the client's CRC32C in JavaScript.
  const holds = md5 === undefined ? crcHolds(bytes, crc32c ?? '') : md5Of(bytes) === md5;
  if (!holds) throw new BrokenAnswerError('a body that does not have its checksum');
}

function crcHolds(bytes: Buffer, expected: string): boolean {
  const crc = new CRC32C();
  crc.update(bytes);
  return crc.toString() === expected;
}
