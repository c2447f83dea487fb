/** A store in an S3 bucket, AWS's own or one that is compatible, through the AWS SDK. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { SecretRef } from '../system/types.ts';
import { checkKey, checkPrefix } from './keys.ts';
import { STORE_RETRIES, withRetries } from './retry.ts';
import type { Attempt, RetryPolicy } from './retry.ts';
import { createS3Client } from './s3-client.ts';
import type { S3Config } from './s3-client.ts';
import { faultOf, isNotFound, isPreconditionFailed, isTransient, s3Failure, BrokenAnswerError } from './s3-errors.ts';
import type { ObjectInfo, PutOptions, PutOutcome, Store } from './store.ts';

const MAX_OBJECT_BYTES = 256 * 1024 * 1024;
/** An upload slower than this is taken for a hanging one. */
const SLOWEST_UPLOAD_BYTES_PER_SECOND = 16 * 1024;

/** Opens no connection yet. Throws BadInput, and what `resolveSecret` throws. */
export async function openS3Store(
  config: S3Config,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  retries: RetryPolicy = STORE_RETRIES,
): Promise<Store> {
  return new S3Store(config, await createS3Client(config, resolveSecret), retries);
}

interface Description {
  readonly ContentLength?: number | undefined;
  readonly ChecksumSHA256?: string | undefined;
  readonly ETag?: string | undefined;
}

class S3Store implements Store {
  readonly kind = 's3';
  readonly label: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #retries: RetryPolicy;
  #bucketIsThere = false;

  constructor(config: S3Config, client: S3Client, retries: RetryPolicy) {
    const trimmed = config.prefix.replace(/^\/+|\/+$/g, '');
    this.#client = client;
    this.#bucket = config.bucket;
    this.#prefix = trimmed === '' ? '' : `${trimmed}/`;
    this.#retries = retries;
    this.label = `s3 ${config.bucket}/${trimmed}`;
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const target = this.#target(key);
    const sha256 = options.sha256 ?? createHash('sha256').update(bytes).digest('hex');
    const command = {
      ...target,
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
      ...(options.createOnly ? { IfNoneMatch: '*' } : {}),
    };
    const extraMs = (bytes.length / SLOWEST_UPLOAD_BYTES_PER_SECOND) * 1000;
    return this.#run(`write ${key}`, { signal: options.signal, extraMs }, async (attempt) => {
      try {
        genuine(await this.#client.send(new PutObjectCommand(command), { abortSignal: attempt.signal }));
        return 'written';
      } catch (cause) {
        if (!options.createOnly || !isPreconditionFailed(cause)) throw cause;
        // The answer to an earlier attempt may have been lost on its way: then what lies there is ours.
        const ours = attempt.number > 1 && (await this.#holds(target, bytes, sha256, attempt));
        return ours ? 'written' : 'exists';
      }
    });
  }

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const target = this.#target(key);
    return this.#run(`read ${key}`, { signal: options.signal }, async (attempt) => {
      try {
        const answer = await this.#client.send(new GetObjectCommand(target), { abortSignal: attempt.signal });
        return await readBody(genuine(answer), attempt);
      } catch (cause) {
        if (!isNotFound(cause)) throw cause;
        throw new HoldfastError('ObjectMissing', `The ${this.label} has no ${key}.`, { cause });
      }
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const answer = await this.#head(key);
    if (answer === undefined) return undefined;
    return { key, sizeBytes: answer.ContentLength ?? 0, modifiedAtMs: answer.LastModified?.getTime() ?? 0 };
  }

  async storedSha256(key: string): Promise<string | undefined> {
    const answer = await this.#head(key);
    if (answer === undefined) throw new HoldfastError('ObjectMissing', `The ${this.label} has no ${key}.`);
    // The checksum of a multipart upload is one of its parts' checksums (`…-3`), which says nothing about the whole.
    const text = answer.ChecksumType === 'COMPOSITE' ? undefined : answer.ChecksumSHA256;
    return text === undefined || text.includes('-') ? undefined : Buffer.from(text, 'base64').toString('hex');
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo, void, undefined> {
    const base = { Bucket: this.#bucket, Prefix: this.#prefix + checkPrefix(prefix) };
    let from: { StartAfter?: string; ContinuationToken?: string } =
      options.startAfter === undefined ? {} : { StartAfter: this.#prefix + options.startAfter };
    for (;;) {
      const command = new ListObjectsV2Command({ ...base, ...from });
      const page = await this.#run(`list ${prefix}`, { signal: options.signal }, async (attempt) => {
        const answer = await this.#client.send(command, { abortSignal: attempt.signal });
        // Anything in XML or HTML can be read as an empty listing; a real one always says whether it goes on.
        if (answer.IsTruncated === undefined) throw new BrokenAnswerError('an answer that is no listing');
        return answer;
      });
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
        const key = Key.slice(this.#prefix.length);
        yield { key, sizeBytes: Size, modifiedAtMs: LastModified?.getTime() ?? 0 };
      }
      if (page.IsTruncated !== true || page.NextContinuationToken === undefined) return;
      from = { ContinuationToken: page.NextContinuationToken };
    }
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#target(key));
    await this.#run(`delete ${key}`, {}, async (attempt) => {
      try {
        await this.#client.send(command, { abortSignal: attempt.signal });
      } catch (cause) {
        if (!isNotFound(cause)) throw cause;
      }
    });
  }

  /** An answered write is durable in S3. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + checkKey(key) };
  }

  async #head(key: string): Promise<HeadObjectCommandOutput | undefined> {
    const command = new HeadObjectCommand({ ...this.#target(key), ChecksumMode: 'ENABLED' });
    return this.#run(`look at ${key}`, {}, async (attempt) => {
      try {
        return genuine(await this.#client.send(command, { abortSignal: attempt.signal }));
      } catch (cause) {
        if (!isNotFound(cause)) throw cause;
        await this.#confirmBucket(attempt);
        return undefined;
      }
    });
  }

  /** Once: an answer to HEAD without a body does not say whether the object or the whole bucket is missing. */
  async #confirmBucket({ signal }: Attempt): Promise<void> {
    if (this.#bucketIsThere) return;
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.#prefix, MaxKeys: 1 });
    await this.#client.send(command, { abortSignal: signal });
    this.#bucketIsThere = true;
  }

  /** True when the object has exactly these bytes, by the store's own checksum, or by its MD5 where it has no other. */
  async #holds(
    target: { Bucket: string; Key: string },
    bytes: Uint8Array,
    sha256: string,
    attempt: Attempt,
  ): Promise<boolean> {
    const found = await this.#describe(target, attempt);
    if (found?.ContentLength !== bytes.length) return false;
    if (found.ChecksumSHA256 !== undefined) {
      return found.ChecksumSHA256 === Buffer.from(sha256, 'hex').toString('base64');
    }
    return found.ETag === `"${createHash('md5').update(bytes).digest('hex')}"`;
  }

  /** HEAD, or where a write-only host may not read, what a listing says. */
  async #describe(target: { Bucket: string; Key: string }, { signal }: Attempt): Promise<Description | undefined> {
    try {
      const command = new HeadObjectCommand({ ...target, ChecksumMode: 'ENABLED' });
      return await this.#client.send(command, { abortSignal: signal });
    } catch (cause) {
      if (faultOf(cause).status !== 403) throw cause;
    }
    const command = new ListObjectsV2Command({ Bucket: target.Bucket, Prefix: target.Key, MaxKeys: 1 });
    const [entry] = (await this.#client.send(command, { abortSignal: signal })).Contents ?? [];
    return entry?.Key === target.Key ? { ContentLength: entry.Size, ETag: entry.ETag } : undefined;
  }

  async #run<T>(
    doing: string,
    options: { signal?: AbortSignal | undefined; extraMs?: number },
    action: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const { signal, extraMs = 0 } = options;
    try {
      return await withRetries(this.#retries, { signal, extraMs, worthTrying: isTransient }, action);
    } catch (cause) {
      signal?.throwIfAborted();
      throw s3Failure(this.label, doing, cause);
    }
  }
}

/** S3 names the ETag in every answer about an object; what something in between says on its behalf has none. */
function genuine<T extends { ETag?: string | undefined }>(answer: T): T {
  if (answer.ETag === undefined) throw new BrokenAnswerError('an answer without an ETag, which is not from S3');
  return answer;
}

async function readBody(answer: GetObjectCommandOutput, attempt: Attempt): Promise<Uint8Array> {
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
