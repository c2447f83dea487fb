/** The versions of blobs in an account that keeps them. Azure has no marks that hide: a deleted blob has no current one. */
import type { AzureCalls } from './azure-calls.ts';
import { azureFault, isMissingBlob, plainCause, refusalOf } from './azure-errors.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { newestFirst } from './calls.ts';
import type { Attempt } from './retry.ts';
import type { ObjectVersion, StoreVersions } from './store.ts';

export class AzureVersions implements StoreVersions {
  readonly #calls: AzureCalls;

  constructor(calls: AzureCalls) {
    this.#calls = calls;
  }

  /** Version ids are times of one form. */
  list(prefix: string, options: { startAfter?: string; signal?: AbortSignal } = {}): AsyncIterable<ObjectVersion> {
    return newestFirst(this.#all(prefix, options), (one, other) => one > other);
  }

  async *#all(prefix: string, options: { startAfter?: string; signal?: AbortSignal }): AsyncGenerator<ObjectVersion> {
    for await (const { key, object } of this.#calls.objects(prefix, { ...options, versions: true })) {
      const { versionId, sizeBytes, modifiedAtMs, current } = object;
      yield { key, versionId, sizeBytes, modifiedAtMs, latest: current, deleteMarker: false };
    }
  }

  async get(key: string, versionId: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const { label } = this.#calls;
    return this.#calls.run(`read version ${versionId} of ${key}`, { signal: options.signal }, async (attempt) => {
      try {
        return await this.#calls.read(this.#version(key, versionId), attempt);
      } catch (cause) {
        if (!isMissingBlob(cause)) throw refusalOf(label, key, cause) ?? cause;
        return this.#calls.missing(`version ${versionId} of ${key}`, attempt, plainCause(cause));
      }
    });
  }

  async delete(key: string, versionId: string): Promise<void> {
    await this.#calls.run(`delete version ${versionId} of ${key}`, {}, async (attempt) => {
      try {
        await this.#delete(key, versionId, attempt);
      } catch (cause) {
        if (!isMissingBlob(cause)) throw refusalOf(this.#calls.label, key, cause) ?? cause;
        await this.#calls.confirmPlace(attempt);
      }
    });
  }

  /** The current version can't be deleted by its id: it becomes an older one first. */
  async #delete(key: string, versionId: string, { signal: abortSignal }: Attempt): Promise<void> {
    const version = this.#version(key, versionId);
    try {
      await version.delete({ abortSignal });
    } catch (cause) {
      if (azureFault(cause).code !== 'OperationNotAllowedOnRootBlob') throw cause;
      const { etag } = await version.getProperties({ abortSignal });
      if (etag === undefined) throw new BrokenAnswerError('an answer without an ETag, which is not from Azure');
      await this.#retire(key, etag, abortSignal);
      await version.delete({ abortSignal });
    }
  }

  /** Only while it is the current one: what somebody else has written meanwhile must not be hidden. */
  async #retire(key: string, ifMatch: string, abortSignal: AbortSignal): Promise<void> {
    try {
      await this.#calls.blob(key).delete({ abortSignal, conditions: { ifMatch } });
    } catch (cause) {
      if (azureFault(cause).status !== 412 && !isMissingBlob(cause)) throw cause;
    }
  }

  /** Without versions Azure names none; then there is the blob itself. */
  #version(key: string, versionId: string) {
    const blob = this.#calls.blob(key);
    return versionId === '' ? blob : blob.withVersion(versionId);
  }
}
