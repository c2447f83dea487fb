/** What the requests to one store of a service share: the names they use, turns, retries, and errors in our words. */
import { HoldfastError } from '../failures.ts';
import { checkKey } from './keys.ts';
import { withRetries } from './retry.ts';
import type { Attempt, RetryPolicy } from './retry.ts';
import { Slots } from './slots.ts';
import type { ObjectInfo, ObjectVersion } from './store.ts';

/** How a service's errors are understood. */
export interface Dialect {
  readonly worthTrying: (cause: unknown) => boolean;
  /** How long it asks to be left alone; undefined when it does not say. */
  readonly askedPauseMs: (cause: unknown) => number | undefined;
  readonly failure: (label: string, doing: string, cause: unknown) => HoldfastError;
}

export interface CallOptions {
  /** Of the service and its bucket, such as `gcs vaults`; the prefix is added. */
  readonly place: string;
  readonly prefix: string;
  readonly retries: RetryPolicy;
  /** Requests at once. */
  readonly parallelism: number;
}

/** Requests to one store. */
export class Requests {
  /** What messages call the store. */
  readonly label: string;
  /** Before every key: empty, or ending in a slash. */
  readonly prefix: string;
  readonly #retries: RetryPolicy;
  readonly #slots: Slots;
  readonly #dialect: Dialect;

  constructor({ place, prefix, retries, parallelism }: CallOptions, dialect: Dialect) {
    const trimmed = prefix.replace(/^\/+|\/+$/g, '');
    this.label = `${place}/${trimmed}`;
    this.prefix = trimmed === '' ? '' : `${trimmed}/`;
    this.#retries = retries;
    this.#slots = new Slots(parallelism);
    this.#dialect = dialect;
  }

  /** The service's name of a key. Throws BadInput for what is no key. */
  nameOf(key: string): string {
    return this.prefix + checkKey(key);
  }

  /** `doing` says what is tried, such as `write chunks/ab/…`. Throws HoldfastError, or the reason of an abort. */
  async run<T>(
    doing: string,
    options: { signal?: AbortSignal | undefined; extraMs?: number },
    action: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const { signal, extraMs = 0 } = options;
    const { worthTrying, askedPauseMs, failure } = this.#dialect;
    try {
      return await this.#slots.with(signal, () =>
        withRetries(this.#retries, { signal, extraMs, worthTrying, askedPauseMs }, action),
      );
    } catch (cause) {
      signal?.throwIfAborted();
      throw failure(this.label, doing, cause);
    }
  }
}

/** Requests to a service by its own client; `Found` is what it tells of an object. */
export abstract class Calls<Found> extends Requests {
  #placeIsThere = false;

  /** Undefined when there is none of this name; whether that is for want of everything, `confirmPlace` says. */
  abstract describe(key: string, attempt: Attempt): Promise<Found | undefined>;

  /** In the order of the keys; the versions of one beside each other. */
  abstract objects(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal; versions: boolean },
  ): AsyncIterable<{ readonly key: string; readonly object: Found }>;

  /** Asks for the smallest listing; throws when there is no bucket to be listed. */
  protected abstract peek(attempt: Attempt): Promise<unknown>;

  /** Once: that an object is not found does not always say whether it or the whole bucket is missing. */
  async confirmPlace(attempt: Attempt): Promise<void> {
    if (this.#placeIsThere) return;
    await this.peek(attempt);
    this.#placeIsThere = true;
  }

  /** Throws ObjectMissing where there is none. */
  async existing(key: string, attempt: Attempt): Promise<Found> {
    const found = await this.describe(key, attempt);
    if (found !== undefined) return found;
    return this.missing(key, attempt);
  }

  /** Throws ObjectMissing, unless it is the whole place that is missing. `what` may name a version. */
  async missing(what: string, attempt: Attempt, cause?: Error): Promise<never> {
    await this.confirmPlace(attempt);
    const why = cause === undefined ? {} : { cause };
    throw new HoldfastError('ObjectMissing', `The ${this.label} has no ${what}.`, why);
  }
}

/** What stores of these services do alike; how each writes, reads and deletes is its own. */
export abstract class ServiceStore<Found, Own extends Calls<Found>> {
  readonly label: string;
  protected readonly calls: Own;

  constructor(calls: Own) {
    this.calls = calls;
    this.label = calls.label;
  }

  protected abstract infoOf(key: string, found: Found): ObjectInfo;

  async head(key: string): Promise<ObjectInfo | undefined> {
    return this.calls.run(`look at ${key}`, {}, async (attempt) => {
      const found = await this.calls.describe(key, attempt);
      if (found !== undefined) return this.infoOf(key, found);
      await this.calls.confirmPlace(attempt);
      return undefined;
    });
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectInfo, void, undefined> {
    for await (const { key, object } of this.calls.objects(prefix, { ...options, versions: false })) {
      yield this.infoOf(key, object);
    }
  }

  /** An answered write is durable at these services. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Versions of one key come beside each other, in no order that all services share: from the newest on. */
export async function* newestFirst(
  versions: AsyncIterable<ObjectVersion>,
  isNewer: (one: string, other: string) => boolean,
): AsyncGenerator<ObjectVersion, void, undefined> {
  const byAge = (a: ObjectVersion, b: ObjectVersion): number => (isNewer(a.versionId, b.versionId) ? -1 : 1);
  let same: ObjectVersion[] = [];
  for await (const version of versions) {
    if (same[0] !== undefined && same[0].key !== version.key) {
      yield* same.sort(byAge);
      same = [];
    }
    same.push(version);
  }
  yield* same.sort(byAge);
}
