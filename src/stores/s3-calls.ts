/** What every request to one S3 store shares: its client and the names in the bucket. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { Immutable } from '../system/types.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { Requests } from './calls.ts';
import type { RetryPolicy } from './retry.ts';
import { parallelismOf } from './s3-client.ts';
import type { S3Config } from './s3-client.ts';
import { askedPauseMs, isTransient, s3Failure } from './s3-errors.ts';

export interface Target {
  readonly Bucket: string;
  readonly Key: string;
}

export class S3Calls extends Requests {
  readonly client: S3Client;
  readonly bucket: string;
  readonly storageClass: string | undefined;
  readonly immutable: Immutable | undefined;

  constructor(config: S3Config, client: S3Client, retries: RetryPolicy) {
    const { bucket, prefix } = config;
    super(
      { place: `s3 ${bucket}`, prefix, retries, parallelism: parallelismOf(config) },
      { worthTrying: isTransient, askedPauseMs, failure: s3Failure },
    );
    this.client = client;
    this.bucket = bucket;
    this.storageClass = config.storageClass;
    this.immutable = config.immutable;
  }

  /** Throws BadInput. */
  target(key: string): Target {
    return { Bucket: this.bucket, Key: this.nameOf(key) };
  }

  /** The store's key of a name in the bucket. */
  keyOf(name: string | undefined): string {
    return (name ?? '').slice(this.prefix.length);
  }
}

/** S3 names the ETag in every answer about an object; what something in between says on its behalf has none. */
export function genuine<T extends { ETag?: string | undefined }>(answer: T): T {
  if (answer.ETag === undefined) throw new BrokenAnswerError('an answer without an ETag, which is not from S3');
  return answer;
}
