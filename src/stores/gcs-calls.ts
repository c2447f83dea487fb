/** The requests of a store in a Google bucket that more than one of its parts makes, tried again where that helps. */
import { createHash } from 'node:crypto';
import type { Bucket, File } from '@google-cloud/storage';
import { unlessAborted } from './abandon.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { Calls } from './calls.ts';
import type { GcsConfig } from './gcs-client.ts';
import { askedPauseOfGcs, gcsFailure, gcsFault, isTransientGcs } from './gcs-errors.ts';
import { checkPrefix } from './keys.ts';
import type { Attempt, RetryPolicy } from './retry.ts';

/** Google gives no more at once. */
const PAGE = 1000;

/** Requests at once. */
const MOST_REQUESTS = 64;

/** What is known of an object or a version of one. (cloud.google.com/storage/docs/json_api/v1/objects) */
export interface GcsObject {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly storageClass: string | undefined;
  readonly generation: string;
  /** Base64. Undefined for composite objects, which a store never makes. */
  readonly md5: string | undefined;
  /** False for a version that was replaced or deleted. */
  readonly live: boolean;
  readonly lock: { readonly mode: string | undefined; readonly untilMs: number } | undefined;
}

export class GcsCalls extends Calls<GcsObject> {
  readonly #bucket: Bucket;

  constructor(config: GcsConfig, bucket: Bucket, retries: RetryPolicy) {
    const { prefix, parallelism = MOST_REQUESTS } = config;
    super(
      { place: `gcs ${config.bucket}`, prefix, retries, parallelism },
      { worthTrying: isTransientGcs, askedPauseMs: askedPauseOfGcs, failure: gcsFailure },
    );
    this.#bucket = bucket;
  }

  /** Throws BadInput for what is no key. */
  file(key: string, generation?: string): File {
    const name = this.nameOf(key);
    return generation === undefined ? this.#bucket.file(name) : this.#bucket.file(name, { generation });
  }

  /** By its metadata or, where a write-only host may not read them, by a listing. Undefined when there is none. */
  async describe(key: string, attempt: Attempt): Promise<GcsObject | undefined> {
    try {
      const [found] = await unlessAborted(attempt.signal, this.file(key).getMetadata());
      return toObject(found);
    } catch (cause) {
      const { status } = gcsFault(cause);
      if (status === 404) return undefined;
      if (status !== 403) throw cause;
    }
    const name = this.nameOf(key);
    const { items } = await this.#page({ prefix: name, maxResults: 1 }, attempt);
    const [first] = items;
    return first?.name === name ? toObject(first) : undefined;
  }

  protected peek(attempt: Attempt): Promise<unknown> {
    return this.#page({ prefix: this.prefix, maxResults: 1 }, attempt);
  }

  /** In the order of the keys; the versions of one beside each other. */
  async *objects(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal; versions: boolean },
  ): AsyncGenerator<{ key: string; object: GcsObject }, void, undefined> {
    const { startAfter, signal, versions } = options;
    const query = {
      prefix: this.prefix + checkPrefix(prefix),
      versions,
      maxResults: PAGE,
      ...(startAfter === undefined ? {} : { startOffset: this.prefix + startAfter }),
    };
    let pageToken: string | undefined;
    do {
      const next = pageToken === undefined ? query : { ...query, pageToken };
      const page = await this.run(`list ${prefix}`, { signal }, (attempt) => this.#page(next, attempt));
      for (const item of page.items) {
        const key = (item.name ?? '').slice(this.prefix.length);
        // The offset itself is part of the answer.
        if (startAfter === undefined || key > startAfter) yield { key, object: toObject(item) };
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }

  async #page(query: Record<string, unknown>, attempt: Attempt): Promise<Page> {
    const asked = this.#bucket.getFiles({ ...query, autoPaginate: false });
    const [, , answer] = (await unlessAborted(attempt.signal, asked)) as [unknown, unknown, RawPage | undefined];
    // Anything without items would be an empty listing; a real one says what it is.
    if (answer?.kind !== 'storage#objects') throw new BrokenAnswerError('an answer that is no listing');
    return { items: answer.items ?? [], nextPageToken: answer.nextPageToken };
  }
}

interface RawPage {
  readonly kind?: string;
  readonly items?: readonly RawObject[];
  readonly nextPageToken?: string;
}

interface Page {
  readonly items: readonly RawObject[];
  readonly nextPageToken: string | undefined;
}

interface RawObject {
  readonly name?: string;
  readonly size?: string | number;
  readonly updated?: string;
  readonly storageClass?: string;
  readonly generation?: string | number;
  readonly md5Hash?: string;
  readonly timeDeleted?: string;
  readonly retention?: { readonly mode?: string; readonly retainUntilTime?: string } | null;
  /** By the bucket's own policy. */
  readonly retentionExpirationTime?: string;
}

function toObject(raw: RawObject): GcsObject {
  if (raw.name === undefined || raw.generation === undefined) {
    throw new BrokenAnswerError('an answer that is not about an object');
  }
  return {
    sizeBytes: Number(raw.size ?? 0),
    modifiedAtMs: timeOf(raw.updated) ?? 0,
    storageClass: raw.storageClass,
    generation: String(raw.generation),
    md5: raw.md5Hash,
    live: raw.timeDeleted === undefined,
    lock: lockOf(raw),
  };
}

/** What holds longer of the object's own retention and the bucket's. Nobody can lift a locked bucket policy. */
function lockOf({ retention, retentionExpirationTime }: RawObject): GcsObject['lock'] {
  const own = timeOf(retention?.retainUntilTime);
  const ofBucket = timeOf(retentionExpirationTime);
  if (own === undefined && ofBucket === undefined) return undefined;
  if ((own ?? 0) >= (ofBucket ?? 0)) return { mode: retention?.mode, untilMs: own ?? 0 };
  return { mode: 'Bucket', untilMs: ofBucket ?? 0 };
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

/** As Google writes it. */
export function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}
