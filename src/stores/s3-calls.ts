/** What every request to one S3 store shares: its client, the names in the bucket, turns, retries and errors. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { Immutable } from '../system/types.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { checkKey } from './keys.ts';
import { withRetries } from './retry.ts';
import type { Attempt, RetryPolicy } from './retry.ts';
import { parallelismOf } from './s3-client.ts';
import type { S3Config } from './s3-client.ts';
import { askedPauseMs, isTransient, s3Failure } from './s3-errors.ts';
import { Slots } from './slots.ts';

export interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

export class S3Calls {
  readonly label: string;
  readonly client: S3Client;
  readonly bucket: string;
  /** Empty, or ending in a slash. */
  readonly prefix: string;
  readonly storageClass: string | undefined;
  readonly immutable: Immutable | undefined;
  readonly #retries: RetryPolicy;
  readonly #slots: Slots;

  constructor(config: S3Config, client: S3Client, retries: RetryPolicy) {
    const trimmed = config.prefix.replace(/^\/+|\/+$/g, '');
    this.client = client;
    this.bucket = config.bucket;
    this.prefix = trimmed === '' ? '' : `${trimmed}/`;
    this.label = `s3 ${config.bucket}/${trimmed}`;
    this.storageClass = config.storageClass;
    this.immutable = config.immutable;
    this.#retries = retries;
    this.#slots = new Slots(parallelismOf(config));
  }

  /** Throws BadInput. */
  target(key: string): Target {
    return { Bucket: this.bucket, Key: this.prefix + checkKey(key) };
  }

  /** The store's key of a name in the bucket. */
  keyOf(name: string | undefined): string {
    return (name ?? '').slice(this.prefix.length);
  }

  /** `doing` says what is tried, such as `write chunks/ab/…`. Throws HoldfastError, or the reason of an abort. */
  async run<T>(
    doing: string,
    options: { signal?: AbortSignal | undefined; extraMs?: number },
    action: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const { signal, extraMs = 0 } = options;
    try {
      return await this.#slots.with(signal, () =>
        withRetries(this.#retries, { signal, extraMs, worthTrying: isTransient, askedPauseMs }, action),
      );
    } catch (cause) {
      signal?.throwIfAborted();
      throw s3Failure(this.label, doing, cause);
    }
  }
}

/** S3 names the ETag in every answer about an object; what something in between says on its behalf has none. */
export function genuine<T extends { ETag?: string | undefined }>(answer: T): T {
  if (answer.ETag === undefined) throw new BrokenAnswerError('an answer without an ETag, which is not from S3');
  return answer;
}
