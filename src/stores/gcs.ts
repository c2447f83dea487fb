/** A store in a Google Cloud Storage bucket, or on another server of its JSON interface, through Google's client. */
import type { FileMetadata } from '@google-cloud/storage';
import type { SecretRef } from '../system/types.ts';
import { unlessAborted } from './abandon.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { ServiceStore } from './calls.ts';
import { readFileOf } from './gcs-body.ts';
import { GcsCalls, md5Of } from './gcs-calls.ts';
import type { GcsObject } from './gcs-calls.ts';
import { openBucket } from './gcs-client.ts';
import type { GcsConfig } from './gcs-client.ts';
import { gcsFault, plainCause } from './gcs-errors.ts';
import { GcsLocks, refusedByLock, retentionOf } from './gcs-locks.ts';
import { GcsVersions } from './gcs-versions.ts';
import { PROBE_PREFIX } from './keys.ts';
import { STORE_RETRIES } from './retry.ts';
import type { RetryPolicy } from './retry.ts';
import type { ObjectInfo, PutOptions, PutOutcome, Store, StoreLocks, StoreVersions } from './store.ts';
import { takesStorageClass } from './unsynced.ts';

/** An upload slower than this is taken for a hanging one. */
const SLOWEST_UPLOAD_BYTES_PER_SECOND = 16 * 1024;

/** Opens no connection yet. Throws BadInput, and what `resolveSecret` throws. */
export async function openGcsStore(
  config: GcsConfig,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  retries: RetryPolicy = STORE_RETRIES,
): Promise<Store> {
  return new GcsStore(config, new GcsCalls(config, await openBucket(config, resolveSecret), retries));
}

class GcsStore extends ServiceStore<GcsObject, GcsCalls> implements Store {
  readonly kind = 'gcs';
  readonly versions: StoreVersions;
  readonly locks?: StoreLocks;
  readonly #config: GcsConfig;

  constructor(config: GcsConfig, calls: GcsCalls) {
    super(calls);
    this.#config = config;
    this.versions = new GcsVersions(calls);
    if (config.immutable !== undefined) this.locks = new GcsLocks(calls, config.immutable.mode);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const file = this.calls.file(key);
    const md5 = md5Of(bytes);
    const extraMs = (bytes.length / SLOWEST_UPLOAD_BYTES_PER_SECOND) * 1000;
    return this.calls.run(`write ${key}`, { signal: options.signal, extraMs }, async (attempt) => {
      const saved = file.save(bytes, {
        resumable: false,
        // Google checks the MD5 that is sent with the bytes; the client would check afterwards, and delete.
        validation: false,
        metadata: { ...this.#metadataOf(key), md5Hash: md5 },
        ...(options.createOnly ? { preconditionOpts: { ifGenerationMatch: 0 } } : {}),
      });
      try {
        await unlessAborted(attempt.signal, saved);
      } catch (cause) {
        const { status } = gcsFault(cause);
        if (options.createOnly && (status === 412 || status === 403)) {
          const repeated = attempt.number > 1;
          const found = repeated || status === 403 ? await this.calls.describe(key, attempt) : undefined;
          // The answer to an earlier attempt may have been lost on its way: then what lies there is ours.
          if (repeated && found?.sizeBytes === bytes.length && found.md5 === md5) return 'written';
          // Who may create only has no right to a name that is taken.
          if (status === 412 || found !== undefined) return 'exists';
        }
        throw refusedByLock(this.label, key, cause) ?? cause;
      }
      if (file.metadata.md5Hash !== md5) throw new BrokenAnswerError('an answer that does not name what was written');
      return 'written';
    });
  }

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return this.calls.run(`read ${key}`, { signal: options.signal }, async (attempt) => {
      try {
        return await readFileOf(this.calls.file(key), attempt);
      } catch (cause) {
        if (gcsFault(cause).status !== 404) throw cause;
        return this.calls.missing(key, attempt, plainCause(cause));
      }
    });
  }

  async delete(key: string): Promise<void> {
    await this.calls.run(`delete ${key}`, {}, async (attempt) => {
      try {
        await unlessAborted(attempt.signal, this.calls.file(key).delete());
      } catch (cause) {
        if (gcsFault(cause).status !== 404) throw refusedByLock(this.label, key, cause) ?? cause;
        await this.calls.confirmPlace(attempt);
      }
    });
  }

  protected infoOf(key: string, { sizeBytes, modifiedAtMs, storageClass }: GcsObject): ObjectInfo {
    return { key, sizeBytes, modifiedAtMs, ...(storageClass === undefined ? {} : { storageClass }) };
  }

  #metadataOf(key: string): FileMetadata {
    const { storageClass, immutable } = this.#config;
    return {
      contentType: 'application/octet-stream',
      // Records are read all the time and small: a class with a price for reading is not for them.
      ...(storageClass !== undefined && takesStorageClass(key) ? { storageClass } : {}),
      // What a probe writes is removed again.
      ...(immutable !== undefined && !key.startsWith(PROBE_PREFIX)
        ? { retention: retentionOf(immutable.mode, Date.now() + immutable.forSeconds * 1000) }
        : {}),
    };
  }
}
