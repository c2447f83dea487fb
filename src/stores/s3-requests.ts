/** Reading, writing and looking at one object: the headers of S3's GetObject, PutObject and HeadObject, and what answers say. */
import type { IncomingMessage } from 'node:http';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Immutable } from '../system/types.ts';
import { genuine } from './s3-calls.ts';
import type { Target } from './s3-calls.ts';
import { headersOfLock } from './s3-locks.ts';
import { S3Wire } from './s3-wire.ts';
import type { Answered } from './s3-wire.ts';

/** What is known of an object, by HEAD or, where that is not allowed, by a listing. */
export interface Description {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly storageClass: string;
  readonly eTag: string | undefined;
  /** Base64 and of the whole object. */
  readonly sha256: string | undefined;
}

/** Throws what the SDK throws, and BrokenAnswerError for an answer that is not from S3. One attempt each. */
export class S3Requests {
  readonly #wire: S3Wire;

  constructor(client: S3Client) {
    this.#wire = new S3Wire(client);
  }

  /** The body is still to be read. */
  async get(
    target: Target,
    signal: AbortSignal,
  ): Promise<{ readonly ContentLength: number | undefined; readonly Body: IncomingMessage }> {
    const { headers, body } = fromS3(await this.#wire.send('GET', target, { headers: NO_BODY, signal }));
    return { ContentLength: lengthIn(headers), Body: body };
  }

  async head(target: Target, signal: AbortSignal): Promise<Description> {
    const { headers, body } = fromS3(await this.#wire.send('HEAD', target, { headers: WITH_CHECKSUM, signal }));
    letGo(body);
    const modifiedAtMs = Date.parse(headers['last-modified'] ?? '');
    const sha256 = headers['x-amz-checksum-sha256'];
    // The checksum of a multipart upload is one of its parts' checksums (`…-3`), which says nothing about the whole.
    const partial = headers['x-amz-checksum-type'] === 'COMPOSITE' || sha256?.includes('-') === true;
    return {
      sizeBytes: lengthIn(headers) ?? 0,
      modifiedAtMs: Number.isNaN(modifiedAtMs) ? 0 : modifiedAtMs,
      storageClass: headers['x-amz-storage-class'] ?? 'STANDARD',
      eTag: headers['etag'],
      sha256: partial ? undefined : sha256,
    };
  }

  /** Resolves with the SHA-256 (base64) that the store says it has stored. `headers` are those of `headersOfPut`. */
  async put(
    target: Target,
    bytes: Uint8Array,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { headers: said, body } = fromS3(await this.#wire.send('PUT', target, { headers, body: bytes, signal }));
    letGo(body);
    return said['x-amz-checksum-sha256'];
  }
}

/** The SHA-256 (hex) that goes with the bytes is also what the signature covers: computed anew it would cost as much again. */
export function headersOfPut(
  bytes: Uint8Array,
  sha256: string,
  how: {
    readonly createOnly: boolean;
    readonly storageClass: string | undefined;
    readonly immutable: Immutable | undefined;
  },
): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'content-length': String(bytes.length),
    'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
    'x-amz-content-sha256': sha256,
    ...(how.createOnly ? { 'if-none-match': '*' } : {}),
    ...(how.storageClass === undefined ? {} : { 'x-amz-storage-class': how.storageClass }),
    ...(how.immutable === undefined ? {} : headersOfLock(how.immutable)),
  };
}

/** SHA-256 of nothing. */
const NO_BODY = { 'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' } as const;
const WITH_CHECKSUM = { ...NO_BODY, 'x-amz-checksum-mode': 'ENABLED' } as const;

function fromS3(answered: Answered): Answered {
  try {
    genuine({ ETag: answered.headers['etag'] });
  } catch (error) {
    // Unread it would keep its connection for ever, of which there are so many and no more.
    letGo(answered.body);
    answered.body.destroy();
    throw error;
  }
  return answered;
}

function lengthIn(headers: Answered['headers']): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
}

/** Everything was said in the head; read to its end so that the connection serves again. */
function letGo(body: IncomingMessage): void {
  // A connection that breaks now takes nothing with it.
  body.on('error', () => undefined);
  body.resume();
}
