/** The versions of objects in a bucket that keeps them. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3';
import type { ListObjectVersionsCommandOutput } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import { BrokenAnswerError } from './broken-answer.ts';
import { checkPrefix } from './keys.ts';
import { lockedFailure } from './refusals.ts';
import { genuine } from './s3-calls.ts';
import type { S3Calls, Target } from './s3-calls.ts';
import { readBody } from './s3-body.ts';
import { cutListing, faultOf, isNotFound, speaksOfLock } from './s3-errors.ts';
import type { ObjectVersion, StoreVersions } from './store.ts';

export class S3Versions implements StoreVersions {
  readonly #calls: S3Calls;

  constructor(calls: S3Calls) {
    this.#calls = calls;
  }

  async *list(
    prefix: string,
    options: { startAfter?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ObjectVersion, void, undefined> {
    const { bucket, prefix: base } = this.#calls;
    const { startAfter, signal } = options;
    let from: { KeyMarker?: string; VersionIdMarker?: string } =
      startAfter === undefined ? {} : { KeyMarker: base + startAfter };
    let last: ObjectVersion | undefined;
    for (;;) {
      const input = { Bucket: bucket, Prefix: base + checkPrefix(prefix), ...from };
      const page = await this.#calls.run(`list the versions of ${prefix}`, { signal }, async (attempt) => {
        const answer = await this.#calls.client.send(new ListObjectVersionsCommand(input), {
          abortSignal: attempt.signal,
        });
        if (answer.IsTruncated === undefined) throw new BrokenAnswerError('an answer that is no listing');
        if (answer.IsTruncated && answer.NextKeyMarker === undefined) throw cutListing();
        return answer;
      });
      for (const version of this.#inOrder(page)) {
        // Some servers begin a page with what ended the one before, or with the key to start after.
        const repeated = version.key === last?.key && version.versionId === last.versionId;
        if (repeated || (startAfter !== undefined && version.key <= startAfter)) continue;
        yield version;
        last = version;
      }
      if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return;
      from = {
        KeyMarker: page.NextKeyMarker,
        ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
      };
    }
  }

  async get(key: string, versionId: string, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const target = { ...this.#calls.target(key), VersionId: versionId };
    return this.#calls.run(`read version ${versionId} of ${key}`, { signal: options.signal }, async (attempt) => {
      try {
        const answer = await this.#calls.client.send(new GetObjectCommand(target), { abortSignal: attempt.signal });
        return await readBody(genuine(answer), attempt);
      } catch (cause) {
        if (!isGone(cause)) throw cause;
        throw new HoldfastError('ObjectMissing', `The ${this.#calls.label} has no version ${versionId} of ${key}.`, {
          cause,
        });
      }
    });
  }

  async delete(key: string, versionId: string): Promise<void> {
    const target = { ...this.#calls.target(key), VersionId: versionId };
    await this.#calls.run(`delete version ${versionId} of ${key}`, {}, async ({ signal }) => {
      try {
        await this.#calls.client.send(new DeleteObjectCommand(target), { abortSignal: signal });
      } catch (cause) {
        if (isGone(cause)) return;
        throw await this.#refusal(key, target, cause, signal);
      }
    });
  }

  /** AWS answers AccessDenied both to those without the right and to everybody while a lock holds. */
  async #refusal(key: string, target: Target, cause: unknown, signal: AbortSignal): Promise<unknown> {
    const locked = speaksOfLock(cause);
    if (!locked && faultOf(cause).status !== 403) return cause;
    const lock = await this.#lockOf(target, signal);
    if (!locked && lock === undefined) return cause;
    return lockedFailure(this.#calls.label, key, lock === 'held' ? undefined : lock, cause);
  }

  async #lockOf(target: Target, abortSignal: AbortSignal): Promise<number | 'held' | undefined> {
    try {
      const found = await this.#calls.client.send(new HeadObjectCommand(target), { abortSignal });
      if (found.ObjectLockLegalHoldStatus === 'ON') return 'held';
      const untilMs = found.ObjectLockRetainUntilDate?.getTime() ?? 0;
      return untilMs > Date.now() ? untilMs : undefined;
    } catch (cause) {
      // Who may not look cannot tell; the first answer stands.
      if ([403, 404, 405].includes(faultOf(cause).status ?? 0)) return undefined;
      throw cause;
    }
  }

  /** S3 lists marks and versions apart from one another, each by key and then from new to old. */
  #inOrder(page: ListObjectVersionsCommandOutput): ObjectVersion[] {
    return [
      ...(page.Versions ?? []).map((one) => ({ ...one, deleteMarker: false })),
      ...(page.DeleteMarkers ?? []).map((one) => ({ ...one, Size: 0, deleteMarker: true })),
    ]
      .map(({ Key, VersionId = 'null', Size = 0, LastModified, IsLatest, deleteMarker }) => ({
        key: this.#calls.keyOf(Key),
        versionId: VersionId,
        sizeBytes: Size,
        modifiedAtMs: LastModified?.getTime() ?? 0,
        latest: IsLatest === true,
        deleteMarker,
      }))
      .sort(inKeyOrder);
  }
}

function inKeyOrder(a: ObjectVersion, b: ObjectVersion): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  if (a.latest !== b.latest) return a.latest ? -1 : 1;
  return b.modifiedAtMs - a.modifiedAtMs;
}

/** Some servers do not call a version that is gone missing, but no version id. */
function isGone(cause: unknown): boolean {
  const { name } = faultOf(cause);
  if (isNotFound(cause) || name === 'NoSuchVersion') return true;
  return name === 'InvalidArgument' && cause instanceof Error && /version id/i.test(cause.message);
}
