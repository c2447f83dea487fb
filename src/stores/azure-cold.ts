/**
 * Azure's archive tier: a blob is brought back by moving it to another tier, which takes hours, and stays there until
 * somebody moves it again. (learn.microsoft.com/azure/storage/blobs/archive-rehydrate-overview)
 */
import type { AzureCalls } from './azure-calls.ts';
import { azureFault, isMissingBlob, plainCause } from './azure-errors.ts';
import type { StoreCold, ThawSpeed } from './store.ts';

/** Cool keeps for 30 days without a fee for leaving it early; reading it once costs less than Hot. */
const READABLE_TIER = 'Cool';

export class AzureCold implements StoreCold {
  readonly #calls: AzureCalls;

  constructor(calls: AzureCalls) {
    this.#calls = calls;
  }

  async state(key: string): Promise<'ready' | 'frozen' | 'thawing'> {
    return this.#calls.run(`look at ${key}`, {}, async (attempt) => {
      const found = await this.#calls.existing(key, attempt);
      if (found.tier !== 'Archive') return 'ready';
      return found.archiveStatus === undefined ? 'frozen' : 'thawing';
    });
  }

  /** `days` is a lower limit here: a blob that was brought back stays. */
  async thaw(key: string, { speed }: { readonly days: number; readonly speed: ThawSpeed }): Promise<void> {
    await this.#calls.run(`thaw ${key}`, {}, async (attempt) => {
      const found = await this.#calls.existing(key, attempt);
      if (found.tier !== 'Archive' || found.archiveStatus !== undefined) return;
      const rehydratePriority = speed === 'expedited' ? 'High' : 'Standard';
      try {
        await this.#calls.blob(key).setAccessTier(READABLE_TIER, { rehydratePriority, abortSignal: attempt.signal });
      } catch (cause) {
        if (isMissingBlob(cause)) await this.#calls.missing(key, attempt, plainCause(cause));
        // Somebody else asked in between.
        if (azureFault(cause).code !== 'BlobBeingRehydrated') throw cause;
      }
    });
  }
}
