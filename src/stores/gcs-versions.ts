/** The versions of objects in a Google bucket that keeps them; Google calls them generations, and has no marks that hide. */
import { unlessAborted } from './abandon.ts';
import { newestFirst } from './calls.ts';
import { readFileOf } from './gcs-body.ts';
import type { GcsCalls } from './gcs-calls.ts';
import { gcsFault, plainCause } from './gcs-errors.ts';
import { refusedByLock } from './gcs-locks.ts';
import type { ObjectVersion, StoreVersions } from './store.ts';

export class GcsVersions implements StoreVersions {
  readonly #calls: GcsCalls;

  constructor(calls: GcsCalls) {
    this.#calls = calls;
  }

  /** Generations are whole numbers that grow, too large for a double. */
  list(prefix: string, options: { startAfter?: string; signal?: AbortSignal } = {}): AsyncIterable<ObjectVersion> {
    return newestFirst(this.#all(prefix, options), (one, other) => BigInt(one) > BigInt(other));
  }

  async *#all(prefix: string, options: { startAfter?: string; signal?: AbortSignal }): AsyncGenerator<ObjectVersion> {
    for await (const { key, object } of this.#calls.objects(prefix, { ...options, versions: true })) {
      const { generation, sizeBytes, modifiedAtMs, live } = object;
      yield { key, versionId: generation, sizeBytes, modifiedAtMs, latest: live, deleteMarker: false };
    }
  }

  async get(key: string, versionId: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const doing = `read version ${versionId} of ${key}`;
    return this.#calls.run(doing, { signal: options.signal }, async (attempt) => {
      try {
        return await readFileOf(this.#calls.file(key, versionId), attempt);
      } catch (cause) {
        if (gcsFault(cause).status !== 404) throw cause;
        return this.#calls.missing(`version ${versionId} of ${key}`, attempt, plainCause(cause));
      }
    });
  }

  async delete(key: string, versionId: string): Promise<void> {
    await this.#calls.run(`delete version ${versionId} of ${key}`, {}, async (attempt) => {
      try {
        await unlessAborted(attempt.signal, this.#calls.file(key, versionId).delete());
      } catch (cause) {
        if (gcsFault(cause).status !== 404) throw refusedByLock(this.#calls.label, key, cause) ?? cause;
        await this.#calls.confirmPlace(attempt);
      }
    });
  }
}
