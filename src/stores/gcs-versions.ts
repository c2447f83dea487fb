/** The versions of objects in a Google bucket that keeps them; Google calls them generations, and has no marks that hide. */
import { HoldfastError } from '../failures.ts';
import { unlessAborted } from './abandon.ts';
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

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectVersion, void, undefined> {
    let same: ObjectVersion[] = [];
    for await (const { key, object } of this.#calls.objects(prefix, { ...options, versions: true })) {
      const { generation, sizeBytes, modifiedAtMs, live } = object;
      if (same[0] !== undefined && same[0].key !== key) {
        yield* same.sort(newestFirst);
        same = [];
      }
      same.push({ key, versionId: generation, sizeBytes, modifiedAtMs, latest: live, deleteMarker: false });
    }
    yield* same.sort(newestFirst);
  }

  async get(key: string, versionId: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const doing = `read version ${versionId} of ${key}`;
    return this.#calls.run(doing, { signal: options.signal }, async (attempt) => {
      try {
        return await readFileOf(this.#calls.file(key, versionId), attempt);
      } catch (cause) {
        if (gcsFault(cause).status !== 404) throw cause;
        await this.#calls.confirmBucket(attempt);
        const what = `The ${this.#calls.label} has no version ${versionId} of ${key}.`;
        throw new HoldfastError('ObjectMissing', what, { cause: plainCause(cause) });
      }
    });
  }

  async delete(key: string, versionId: string): Promise<void> {
    await this.#calls.run(`delete version ${versionId} of ${key}`, {}, async (attempt) => {
      try {
        await unlessAborted(attempt.signal, this.#calls.file(key, versionId).delete());
      } catch (cause) {
        if (gcsFault(cause).status !== 404) throw refusedByLock(this.#calls.label, key, cause) ?? cause;
        await this.#calls.confirmBucket(attempt);
      }
    });
  }
}

/** Generations are whole numbers that grow, too large for a double. */
function newestFirst(a: ObjectVersion, b: ObjectVersion): number {
  return BigInt(a.versionId) > BigInt(b.versionId) ? -1 : 1;
}
