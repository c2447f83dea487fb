/** A store in an S3 bucket, AWS's own or one that is compatible, through the AWS SDK. */
import { createHash } from 'node:crypto';
import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { SecretRef } from '../system/types.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { checkPrefix, PROBE_PREFIX } from './keys.ts';
import { frozenFailure } from './refusals.ts';
import { STORE_RETRIES } from './retry.ts';
import type { Attempt, RetryPolicy } from './retry.ts';
import { readBody } from './s3-body.ts';
import { S3Calls } from './s3-calls.ts';
import type { Target } from './s3-calls.ts';
import { createS3Client } from './s3-client.ts';
import type { S3Config } from './s3-client.ts';
import { S3Cold } from './s3-cold.ts';
import { cutListing, faultOf, isFrozen, isNotFound, isPreconditionFailed } from './s3-errors.ts';
import { S3Locks } from './s3-locks.ts';
import { S3Replication } from './s3-replication.ts';
import { headersOfPut, S3Requests } from './s3-requests.ts';
import type { Description } from './s3-requests.ts';
import { S3Versions } from './s3-versions.ts';
import type {
  GetOptions,
  ObjectInfo,
  PutOptions,
  PutOutcome,
  Store,
  StoreCold,
  StoreLocks,
  StoreReplication,
  StoreVersions,
} from './store.ts';
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

class S3Store implements Store {
  readonly kind = 's3';
  readonly label: string;
  readonly versions: StoreVersions;
  readonly locks?: StoreLocks;
  readonly cold?: StoreCold;
  readonly replication: StoreReplication;
  readonly #calls: S3Calls;
  readonly #requests: S3Requests;
  #bucketIsThere = false;

  constructor(calls: S3Calls, { mayFreeze }: { mayFreeze: boolean }) {
    this.#calls = calls;
    this.#requests = new S3Requests(calls.client);
    this.label = calls.label;
    this.versions = new S3Versions(calls);
    this.replication = new S3Replication(calls);
    if (calls.immutable !== undefined) this.locks = new S3Locks(calls, calls.immutable.mode);
    if (mayFreeze) this.cold = new S3Cold(calls);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const target = this.#calls.target(key);
    const sha256 = options.sha256 ?? createHash('sha256').update(bytes).digest('hex');
    const extraMs = (bytes.length / SLOWEST_UPLOAD_BYTES_PER_SECOND) * 1000;
    return this.#calls.run(`write ${key}`, { signal: options.signal, extraMs }, async (attempt) => {
      try {
        const headers = this.#putHeaders(key, bytes, sha256, options);
        const own = await this.#requests.put(target, bytes, headers, attempt.signal);
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
      const plain = this.#putHeaders(key, bytes, sha256, { createOnly: false });
      await this.#requests.put(target, bytes, plain, attempt.signal);
      return 'written';
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<Uint8Array> {
    const target = this.#calls.target(key);
    return this.#calls.run(`read ${key}`, { signal: options.signal }, async (attempt) => {
      try {
        return await readBody(await this.#requests.get(target, attempt.signal), attempt, options.room);
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

  #putHeaders(key: string, bytes: Uint8Array, sha256: string, { createOnly }: PutOptions): Record<string, string> {
    const { storageClass, immutable } = this.#calls;
    return headersOfPut(bytes, sha256, {
      createOnly,
      // Records are read all the time and small: a class with a price for reading is not for them.
      storageClass: takesStorageClass(key) ? storageClass : undefined,
      // What a probe writes is removed again.
      immutable: key.startsWith(PROBE_PREFIX) ? undefined : immutable,
    });
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
      return await this.#requests.head(target, signal);
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
