/**
 * Google's object retention: how long an object can be deleted or replaced by nobody. The bucket must have been made with
 * it. Unlocked: who has storage.objects.overrideUnlockedRetention may lift it. Locked: nobody may.
 * (cloud.google.com/storage/docs/object-lock)
 */
import type { HoldfastError } from '../failures.ts';
import { unlessAborted } from './abandon.ts';
import type { GcsCalls } from './gcs-calls.ts';
import { gcsFault, plainCause } from './gcs-errors.ts';
import { lockedFailure } from './refusals.ts';
import type { ObjectLock, StoreLocks } from './store.ts';

interface Retention {
  readonly mode: 'Locked' | 'Unlocked';
  /** RFC 3339 */
  readonly retainUntilTime: string;
}

export function retentionOf(mode: ObjectLock['mode'], untilMs: number): Retention {
  return { mode: mode === 'compliance' ? 'Locked' : 'Unlocked', retainUntilTime: new Date(untilMs).toISOString() };
}

/** StoreLocked when that is why Google refused; undefined otherwise. */
export function refusedByLock(label: string, key: string, cause: unknown): HoldfastError | undefined {
  const { status, reason } = gcsFault(cause);
  if (status !== 403) return undefined;
  const text = cause instanceof Error ? cause.message : '';
  // Who may not set a retention is told so by the name of the right.
  if (text.includes('storage.objects.setRetention')) return undefined;
  const speaksOfIt =
    reason === 'retentionPolicyNotMet' || reason === 'objectUnderActiveHold' || /retention/i.test(text);
  return speaksOfIt ? lockedFailure(label, key, undefined, plainCause(cause)) : undefined;
}

export class GcsLocks implements StoreLocks {
  readonly #calls: GcsCalls;
  readonly #mode: ObjectLock['mode'];

  constructor(calls: GcsCalls, mode: ObjectLock['mode']) {
    this.#calls = calls;
    this.#mode = mode;
  }

  async get(key: string): Promise<ObjectLock | undefined> {
    return this.#calls.run(`look at the lock of ${key}`, {}, async (attempt) => {
      const { lock } = await this.#calls.existing(key, attempt);
      if (lock === undefined) return undefined;
      return { mode: lock.mode === 'Unlocked' ? 'governance' : 'compliance', untilMs: lock.untilMs };
    });
  }

  async extend(key: string, untilMs: number): Promise<void> {
    await this.#calls.run(`lock ${key}`, {}, async (attempt) => {
      const { lock } = await this.#calls.existing(key, attempt);
      if (lock !== undefined && lock.untilMs >= untilMs) return;
      // A locked retention stays locked; Google refuses the other way.
      const mode = lock?.mode === 'Locked' ? 'compliance' : this.#mode;
      const change = this.#calls.file(key).setMetadata({ retention: retentionOf(mode, untilMs) });
      try {
        await unlessAborted(attempt.signal, change);
      } catch (cause) {
        // Somebody else may have locked it for longer since it was looked at; Google refuses to shorten that.
        const now = gcsFault(cause).status === 403 ? (await this.#calls.existing(key, attempt)).lock : undefined;
        if (now === undefined || now.untilMs < untilMs) throw cause;
      }
    });
  }
}
