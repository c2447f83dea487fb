/** A store in an S3 bucket, AWS's own or one that is compatible, through the AWS SDK. */
import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { SecretRef } from '../system/types.ts';
import { checkPrefix, PROBE_PREFIX } from './keys.ts';
import { frozenFailure } from './refusals.ts';
import { STORE_RETRIES } from './retry.ts';
import type { Attempt, RetryPolicy } from './retry.ts';
import { readBody } from './s3-body.ts';
import { genuine, S3Calls } from './s3-calls.ts';
import type { Target } from './s3-calls.ts';
import { createS3Client } from './s3-client.ts';
import type { S3Config } from './s3-client.ts';
import { S3Cold } from './s3-cold.ts';
import { BrokenAnswerError, cutListing, faultOf, isFrozen, isNotFound, isPreconditionFailed } from './s3-errors.ts';
import { lockOfPut, S3Locks } from './s3-locks.ts';
import { S3Versions } from './s3-versions.ts';
import type { ObjectInfo, PutOptions, PutOutcome, Store, StoreCold, StoreLocks, StoreVersions } from './store.ts';
import { isContentAddressed, takesStorageClass } from './unsynced.ts';

/** An upload slower than this is taken for a hanging one. */
const SLOWEST_UPLOAD_BYTES_PER_SECOND = 16 * 1024;

/** Opens no connection yet. Throws BadInput, and what `resolveSecret` throws. */
export async function openS3Store(
  config: S3Config,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  retries: RetryPolicy = STORE_RETRIES,
): Promise<Store> {
  const calls = new S3Calls(config, await createS3Client(config, resolveSecret), retries);
  // Servers of others know no class that has to be thawed, unless the system file names one.
  const mayFreeze = config.endpoint === undefined || config.storageClass !== undefined;
  return new S3Store(calls, { mayFreeze });
}

/** What is known of an object, by HEAD or, where that is not allowed, by a listing. */
interface Description {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly storageClass: string;
  readonly eTag: string | undefined;
  /** Base64 and of the whole object. */
  readonly sha256: string | undefined;
}

class S3Store implements Store {
  readonly kind = 's3';
  readonly label: string;
  readonly versions: StoreVersions;
  readonly locks?: StoreLocks;
  readonly cold?: StoreCold;
  readonly #calls: S3Calls;
  #bucketIsThere = false;

  constructor(calls: S3Calls, { mayFreeze }: { mayFreeze: boolean }) {
    this.#calls = calls;
    this.label = calls.label;
    this.versions = new S3Versions(calls);
    if (calls.immutable !== undefined) this.locks = new S3Locks(calls, calls.immutable.mode);
    if (mayFreeze) this.cold = new S3Cold(calls);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const target = this.#calls.target(key);
    const sha256 = options.sha256 ?? createHash('sha256').update(bytes).digest('hex');
    const extraMs = (bytes.length / SLOWEST_UPLOAD_BYTES_PER_SECOND) * 1000;
    return this.#calls.run(`write ${key}`, { signal: options.signal, extraMs }, async (attempt) => {
      const command = new PutObjectCommand({ ...target, ...this.#putInput(key, bytes, sha256, options) });
      try {
        const answer = genuine(await this.#calls.client.send(command, { abortSignal: attempt.signal }));
        const own = answer.ChecksumSHA256;
        if (own !== undefined) options.onStoredSha256?.(Buffer.from(own, 'base64').toString('hex'));
        return 'written';
      } catch (cause) {
        if (!options.createOnly || !isPreconditionFailed(cause)) throw cause;
        // The answer to an earlier attempt may have been lost on its way: then what lies there is ours.
        if (attempt.number > 1 && (await this.#holds(target, bytes, sha256, attempt))) return 'written';
        if (!isContentAddressed(key) || (await this.#isThere(target, attempt))) return 'exists';
      }
      // Some servers take a key for taken whose last version is a delete mark, where AWS writes. Without the condition
      // two may write, and what they write is the same.
      const plain = new PutObjectCommand({ ...command.input, IfNoneMatch: undefined });
      genuine(await this.#calls.client.send(plain, { abortSignal: attempt.signal }));
      return 'written';
    });
  }

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const target = this.#calls.target(key);
    return this.#calls.run(`read ${key}`, { signal: options.signal }, async (attempt) => {
      try {
        const answer = await this.#calls.client.send(new GetObjectCommand(target), { abortSignal: attempt.signal });
        return await readBody(genuine(answer), attempt);
      } catch (cause) {
        if (isFrozen(cause)) throw frozenFailure(this.label, key, await this.#classOf(target, attempt), cause);
        // S3 answers 403 for what is not there to those who may only list a part of the bucket.
        const unseen = faultOf(cause).status === 403 && (await this.#describe(target, attempt)) === undefined;
        if (!unseen && !isNotFound(cause)) throw cause;
        throw new HoldfastError('ObjectMissing', `The ${this.label} has no ${key}.`, { cause });
      }
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const found = await this.#look(key);
    if (found === undefined) return undefined;
    const { sizeBytes, modifiedAtMs, storageClass } = found;
    return { key, sizeBytes, modifiedAtMs, storageClass };
  }

  async storedSha256(key: string): Promise<string | undefined> {
    const found = await this.#look(key);
    if (found === undefined) throw new HoldfastError('ObjectMissing', `The ${this.label} has no ${key}.`);
    return found.sha256 === undefined ? undefined : Buffer.from(found.sha256, 'base64').toString('hex');
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo, void, undefined> {
    const { bucket, prefix: base, client } = this.#calls;
    const input = { Bucket: bucket, Prefix: base + checkPrefix(prefix) };
    let from: { StartAfter?: string; ContinuationToken?: string } =
      options.startAfter === undefined ? {} : { StartAfter: base + options.startAfter };
    for (;;) {
      const command = new ListObjectsV2Command({ ...input, ...from });
      const page = await this.#calls.run(`list ${prefix}`, { signal: options.signal }, async (attempt) => {
        const answer = await client.send(command, { abortSignal: attempt.signal });
        const { IsTruncated: goesOn, NextContinuationToken: next, Contents: objects = [] } = answer;
        // Anything in XML or HTML can be read as an empty listing; a real one always says whether it goes on.
        if (goesOn === undefined) throw new BrokenAnswerError('an answer that is no listing');
        if (goesOn && next === undefined) throw cutListing();
        return { objects, next: goesOn ? next : undefined };
      });
      for (const { Key, Size = 0, LastModified, StorageClass } of page.objects) {
        const info = { key: this.#calls.keyOf(Key), sizeBytes: Size, modifiedAtMs: LastModified?.getTime() ?? 0 };
        yield StorageClass === undefined ? info : { ...info, storageClass: StorageClass };
      }
      if (page.next === undefined) return;
      from = { ContinuationToken: page.next };
    }
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#calls.target(key));
    await this.#calls.run(`delete ${key}`, {}, async (attempt) => {
      try {
        await this.#calls.client.send(command, { abortSignal: attempt.signal });
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
    this.#calls.client.destroy();
    return Promise.resolve();
  }

  #putInput(key: string, bytes: Uint8Array, sha256: string, { createOnly }: PutOptions) {
    const { storageClass, immutable } = this.#calls;
    const input: Partial<PutObjectCommandInput> = {
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
    };
    if (createOnly) input.IfNoneMatch = '*';
    // Records are read all the time and small: a class with a price for reading is not for them.
    if (storageClass !== undefined && takesStorageClass(key)) {
      input.StorageClass = storageClass as NonNullable<PutObjectCommandInput['StorageClass']>;
    }
    // What a probe writes is removed again.
    if (immutable !== undefined && !key.startsWith(PROBE_PREFIX)) Object.assign(input, lockOfPut(immutable));
    return input;
  }

  async #look(key: string): Promise<Description | undefined> {
    const target = this.#calls.target(key);
    return this.#calls.run(`look at ${key}`, {}, async (attempt) => {
      try {
        return await this.#describe(target, attempt);
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
    const { bucket, prefix, client } = this.#calls;
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1 });
    await client.send(command, { abortSignal: signal });
    this.#bucketIsThere = true;
  }

  /** True when the object has exactly these bytes, by the store's own checksum, or by its MD5 where it has no other. */
  async #holds(target: Target, bytes: Uint8Array, sha256: string, attempt: Attempt): Promise<boolean> {
    const found = await this.#describe(target, attempt);
    if (found?.sizeBytes !== bytes.length) return false;
    if (found.sha256 !== undefined) return found.sha256 === Buffer.from(sha256, 'hex').toString('base64');
    return found.eTag === `"${createHash('md5').update(bytes).digest('hex')}"`;
  }

  /** HEAD, or where a write-only host may not read, what a listing says. */
  async #describe(target: Target, { signal }: Attempt): Promise<Description | undefined> {
    const { client } = this.#calls;
    try {
      const head = new HeadObjectCommand({ ...target, ChecksumMode: 'ENABLED' });
      const answer = genuine(await client.send(head, { abortSignal: signal }));
      const { ContentLength, LastModified, StorageClass = 'STANDARD', ETag, ChecksumSHA256, ChecksumType } = answer;
      // The checksum of a multipart upload is one of its parts' checksums (`…-3`), which says nothing about the whole.
      const partial = ChecksumType === 'COMPOSITE' || ChecksumSHA256?.includes('-') === true;
      return {
        sizeBytes: ContentLength ?? 0,
        modifiedAtMs: LastModified?.getTime() ?? 0,
        storageClass: StorageClass,
        eTag: ETag,
        sha256: partial ? undefined : ChecksumSHA256,
      };
    } catch (cause) {
      if (faultOf(cause).status !== 403) throw cause;
    }
    const list = new ListObjectsV2Command({ Bucket: target.Bucket, Prefix: target.Key, MaxKeys: 1 });
    const [entry] = (await client.send(list, { abortSignal: signal })).Contents ?? [];
    if (entry?.Key !== target.Key) return undefined;
    const { Size = 0, LastModified, StorageClass = 'STANDARD', ETag } = entry;
    const modifiedAtMs = LastModified?.getTime() ?? 0;
    return { sizeBytes: Size, modifiedAtMs, storageClass: StorageClass, eTag: ETag, sha256: undefined };
  }

  async #isThere(target: Target, attempt: Attempt): Promise<boolean> {
    try {
      return (await this.#describe(target, attempt)) !== undefined;
    } catch (cause) {
      if (isNotFound(cause)) return false;
      throw cause;
    }
  }

  async #classOf(target: Target, attempt: Attempt): Promise<string> {
    return (await this.#describe(target, attempt))?.storageClass ?? 'unknown';
  }
}
