/** A store in an Azure Blob container through Azure's client. */
import type { BlockBlobUploadOptions } from '@azure/storage-blob';
import type { SecretRef } from '../system/types.ts';
import { AzureCalls, md5Of } from './azure-calls.ts';
import type { AzureObject } from './azure-calls.ts';
import { openContainer } from './azure-client.ts';
import type { AzureConfig } from './azure-client.ts';
import { AzureCold } from './azure-cold.ts';
import { azureFault, isMissingBlob, plainCause, refusalOf } from './azure-errors.ts';
import { AzureLocks, immutabilityOf } from './azure-locks.ts';
import { AzureVersions } from './azure-versions.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { ServiceStore } from './calls.ts';
import { PROBE_PREFIX } from './keys.ts';
import { STORE_RETRIES } from './retry.ts';
import type { RetryPolicy } from './retry.ts';
import type { ObjectInfo, PutOptions, PutOutcome, Store, StoreCold, StoreLocks, StoreVersions } from './store.ts';
import { takesStorageClass } from './unsynced.ts';

/** An upload slower than this is taken for a hanging one. */
const SLOWEST_UPLOAD_BYTES_PER_SECOND = 16 * 1024;

/** Opens no connection yet. Throws BadInput, and what `resolveSecret` throws. */
export async function openAzureStore(
  config: AzureConfig,
  resolveSecret: (ref: SecretRef) => Promise<string>,
  retries: RetryPolicy = STORE_RETRIES,
): Promise<Store> {
  return new AzureStore(config, new AzureCalls(config, await openContainer(config, resolveSecret), retries));
}

class AzureStore extends ServiceStore<AzureObject, AzureCalls> implements Store {
  readonly kind = 'azure';
  readonly versions: StoreVersions;
  readonly locks?: StoreLocks;
  readonly cold: StoreCold;
  readonly #config: AzureConfig;

  constructor(config: AzureConfig, calls: AzureCalls) {
    super(calls);
    this.#config = config;
    this.versions = new AzureVersions(calls);
    this.cold = new AzureCold(calls);
    if (config.immutable !== undefined) this.locks = new AzureLocks(calls, config.immutable.mode);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const blob = this.calls.blob(key);
    const md5 = md5Of(bytes);
    const extraMs = (bytes.length / SLOWEST_UPLOAD_BYTES_PER_SECOND) * 1000;
    return this.calls.run(`write ${key}`, { signal: options.signal, extraMs }, async (attempt) => {
      const how = { ...this.#uploadOptions(key, md5, options), abortSignal: attempt.signal };
      try {
        const answer = await blob.upload(bytes, bytes.length, how);
        if (answer.etag === undefined)
          throw new BrokenAnswerError('an answer without an ETag, which is not from Azure');
        return 'written';
      } catch (cause) {
        if (!options.createOnly || !mayBeTaken(cause)) throw refusalOf(this.label, key, cause) ?? cause;
        const found = await this.calls.describe(key, attempt);
        if (found === undefined) throw refusalOf(this.label, key, cause) ?? cause;
        // The answer to an earlier attempt may have been lost on its way: then what lies there is ours.
        return attempt.number > 1 && found.sizeBytes === bytes.length && found.md5 === md5.toString('base64')
          ? 'written'
          : 'exists';
      }
    });
  }

  async get(key: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return this.calls.run(`read ${key}`, { signal: options.signal }, async (attempt) => {
      try {
        return await this.calls.read(this.calls.blob(key), attempt);
      } catch (cause) {
        if (!isMissingBlob(cause)) throw refusalOf(this.label, key, cause) ?? cause;
        return this.calls.missing(key, attempt, plainCause(cause));
      }
    });
  }

  async delete(key: string): Promise<void> {
    await this.calls.run(`delete ${key}`, {}, async (attempt) => {
      try {
        await this.calls.blob(key).delete({ abortSignal: attempt.signal });
      } catch (cause) {
        if (!isMissingBlob(cause)) throw refusalOf(this.label, key, cause) ?? cause;
        await this.calls.confirmPlace(attempt);
      }
    });
  }

  protected infoOf(key: string, { sizeBytes, modifiedAtMs, tier }: AzureObject): ObjectInfo {
    return { key, sizeBytes, modifiedAtMs, ...(tier === undefined ? {} : { storageClass: tier }) };
  }

  #uploadOptions(key: string, md5: Buffer, { createOnly }: PutOptions): BlockBlobUploadOptions {
    const { storageClass, immutable } = this.#config;
    return {
      // Azure checks both against what arrived; the second stays with the blob.
      transactionalContentMD5: md5,
      blobHTTPHeaders: { blobContentMD5: md5, blobContentType: 'application/octet-stream' },
      ...(createOnly ? { conditions: { ifNoneMatch: '*' } } : {}),
      // Records are read all the time and small: a tier with a price for reading is not for them.
      ...(storageClass !== undefined && takesStorageClass(key) ? { tier: storageClass } : {}),
      // What a probe writes is removed again.
      ...(immutable !== undefined && !key.startsWith(PROBE_PREFIX)
        ? { immutabilityPolicy: immutabilityOf(immutable.mode, Date.now() + immutable.forSeconds * 1000) }
        : {}),
    };
  }
}

/** What is locked or archived is there, too; and who may create only has no right to a name that is taken. */
const NO_RIGHT_TO_REPLACE = new Set(['AuthorizationPermissionMismatch', 'UnauthorizedBlobOverwrite']);

function mayBeTaken(cause: unknown): boolean {
  const { status, code } = azureFault(cause);
  if (status === 412 || NO_RIGHT_TO_REPLACE.has(code)) return true;
  return status === 409 && ['BlobAlreadyExists', 'BlobImmutableDueToPolicy', 'BlobArchived'].includes(code);
}
