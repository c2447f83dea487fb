/** S3 Object Lock: how long the current version of an object can be deleted by nobody. */
import { HeadObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { Immutable } from '../system/types.ts';
import type { S3Calls, Target } from './s3-calls.ts';
import { faultOf, isNotFound } from './s3-errors.ts';
import type { ObjectLock, StoreLocks } from './store.ts';

type Mode = 'GOVERNANCE' | 'COMPLIANCE';

/** The headers of a put that locks what it writes. */
export function headersOfLock(immutable: Immutable): Record<string, string> {
  return {
    'x-amz-object-lock-mode': modeName(immutable.mode),
    'x-amz-object-lock-retain-until-date': new Date(Date.now() + immutable.forSeconds * 1000).toISOString(),
  };
}

export class S3Locks implements StoreLocks {
  readonly #calls: S3Calls;
  readonly #mode: ObjectLock['mode'];

  constructor(calls: S3Calls, mode: ObjectLock['mode']) {
    this.#calls = calls;
    this.#mode = mode;
  }

  async get(key: string): Promise<ObjectLock | undefined> {
    const target = this.#calls.target(key);
    return this.#calls.run(`look at the lock of ${key}`, {}, ({ signal }) => this.#lock(key, target, signal));
  }

  async extend(key: string, untilMs: number): Promise<void> {
    const target = this.#calls.target(key);
    await this.#calls.run(`lock ${key}`, {}, async ({ signal }) => {
      const now = await this.#lock(key, target, signal);
      if (holds(now, untilMs)) return;
      const mode = now?.mode === 'compliance' ? 'compliance' : this.#mode;
      const Retention = { Mode: modeName(mode), RetainUntilDate: new Date(untilMs) };
      try {
        await this.#calls.client.send(new PutObjectRetentionCommand({ ...target, Retention }), { abortSignal: signal });
      } catch (cause) {
        // Somebody else may have locked it for longer since it was looked at; S3 refuses to shorten that.
        if (faultOf(cause).status !== 403 || !holds(await this.#lock(key, target, signal), untilMs)) throw cause;
      }
    });
  }

  async #lock(key: string, target: Target, abortSignal: AbortSignal): Promise<ObjectLock | undefined> {
    try {
      const found = await this.#calls.client.send(new HeadObjectCommand(target), { abortSignal });
      const { ObjectLockMode: mode, ObjectLockRetainUntilDate: until } = found;
      if (mode === undefined || until === undefined) return undefined;
      return { mode: mode === 'COMPLIANCE' ? 'compliance' : 'governance', untilMs: until.getTime() };
    } catch (cause) {
      if (!isNotFound(cause) && faultOf(cause).status !== 405) throw cause;
      throw new HoldfastError('ObjectMissing', `The ${this.#calls.label} has no ${key}.`, { cause });
    }
  }
}

/** Retention dates have whole seconds in some servers. */
function holds(lock: ObjectLock | undefined, untilMs: number): boolean {
  return lock !== undefined && lock.untilMs >= Math.floor(untilMs / 1000) * 1000;
}

function modeName(mode: ObjectLock['mode']): Mode {
  return mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE';
}
