/**
 * Azure's immutability policy of a blob version: how long it can be deleted or replaced by nobody. The container must have
 * been made with version-level immutability. Unlocked: who has the right may lift it. Locked: nobody may.
 * (learn.microsoft.com/azure/storage/blobs/immutable-version-level-worm-policies)
 */
import type { AzureCalls, AzureObject } from './azure-calls.ts';
import { azureFault } from './azure-errors.ts';
import type { ObjectLock, StoreLocks } from './store.ts';

export function immutabilityOf(mode: ObjectLock['mode'], untilMs: number) {
  const policyMode = mode === 'compliance' ? ('Locked' as const) : ('Unlocked' as const);
  return { policyMode, expiriesOn: new Date(untilMs) };
}

export class AzureLocks implements StoreLocks {
  readonly #calls: AzureCalls;
  readonly #mode: ObjectLock['mode'];

  constructor(calls: AzureCalls, mode: ObjectLock['mode']) {
    this.#calls = calls;
    this.#mode = mode;
  }

  async get(key: string): Promise<ObjectLock | undefined> {
    return this.#calls.run(`look at the lock of ${key}`, {}, async (attempt) => {
      const { lock } = await this.#calls.existing(key, attempt);
      if (lock === undefined) return undefined;
      return { mode: isLocked(lock) ? 'compliance' : 'governance', untilMs: lock.untilMs };
    });
  }

  async extend(key: string, untilMs: number): Promise<void> {
    await this.#calls.run(`lock ${key}`, {}, async (attempt) => {
      const { lock } = await this.#calls.existing(key, attempt);
      if (holds(lock, untilMs)) return;
      // A locked policy can only be extended; Azure refuses to unlock it.
      const policy = immutabilityOf(isLocked(lock) ? 'compliance' : this.#mode, untilMs);
      try {
        await this.#calls.blob(key).setImmutabilityPolicy(policy, { abortSignal: attempt.signal });
      } catch (cause) {
        // Somebody else may have locked it for longer since it was looked at; Azure refuses to shorten that.
        const { status } = azureFault(cause);
        const refused = status === 409 || status === 403 || status === 412;
        if (!refused || !holds((await this.#calls.existing(key, attempt)).lock, untilMs)) throw cause;
      }
    });
  }
}

function isLocked(lock: AzureObject['lock']): boolean {
  return lock?.mode?.toLowerCase() === 'locked';
}

/** Azure keeps whole seconds. */
function holds(lock: AzureObject['lock'], untilMs: number): boolean {
  return lock !== undefined && lock.untilMs >= Math.floor(untilMs / 1000) * 1000;
}
