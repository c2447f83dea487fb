/** Archive classes: what lies there must be restored to a readable copy before it is read. */
import { HeadObjectCommand, RestoreObjectCommand } from '@aws-sdk/client-s3';
import type { HeadObjectCommandOutput, RestoreRequest, Tier } from '@aws-sdk/client-s3';
import { HoldfastError } from '../failures.ts';
import type { S3Calls, Target } from './s3-calls.ts';
import { faultOf, isNotFound } from './s3-errors.ts';
import type { StoreCold, ThawSpeed } from './store.ts';

export type ColdState = 'ready' | 'frozen' | 'thawing';

const ARCHIVES = new Set(['GLACIER', 'DEEP_ARCHIVE']);
const TIERS: Readonly<Record<ThawSpeed, Tier>> = { bulk: 'Bulk', standard: 'Standard', expedited: 'Expedited' };
/** Another request is under way, or there is nothing to thaw: both are what was asked for. */
const HARMLESS = new Set(['RestoreAlreadyInProgress', 'ObjectAlreadyInActiveTierError']);

/** What HeadObject tells: StorageClass, ArchiveStatus (Intelligent-Tiering), and the header x-amz-restore. */
export function coldState(
  head: Pick<HeadObjectCommandOutput, 'StorageClass' | 'ArchiveStatus' | 'Restore'>,
): ColdState {
  if (!ARCHIVES.has(head.StorageClass ?? '') && head.ArchiveStatus === undefined) return 'ready';
  if (head.Restore === undefined) return 'frozen';
  return head.Restore.includes('ongoing-request="true"') ? 'thawing' : 'ready';
}

/** RestoreObject's request. Deep Archive has no expedited tier; Intelligent-Tiering moves for good, so without days. */
export function restoreRequest(
  storageClass: string | undefined,
  { days, speed }: { days: number; speed: ThawSpeed },
): RestoreRequest {
  const Tier = storageClass === 'DEEP_ARCHIVE' && speed === 'expedited' ? 'Standard' : TIERS[speed];
  const job = { GlacierJobParameters: { Tier } };
  return storageClass === 'INTELLIGENT_TIERING' ? job : { Days: days, ...job };
}

export class S3Cold implements StoreCold {
  readonly #calls: S3Calls;

  constructor(calls: S3Calls) {
    this.#calls = calls;
  }

  async state(key: string): Promise<ColdState> {
    const target = this.#calls.target(key);
    return this.#calls.run(`look at ${key}`, {}, async ({ signal }) =>
      coldState(await this.#head(key, target, signal)),
    );
  }

  async thaw(key: string, options: { readonly days: number; readonly speed: ThawSpeed }): Promise<void> {
    const target = this.#calls.target(key);
    await this.#calls.run(`thaw ${key}`, {}, async ({ signal }) => {
      const head = await this.#head(key, target, signal);
      if (coldState(head) !== 'frozen') return;
      const command = new RestoreObjectCommand({
        ...target,
        RestoreRequest: restoreRequest(head.StorageClass, options),
      });
      try {
        await this.#calls.client.send(command, { abortSignal: signal });
      } catch (cause) {
        if (!HARMLESS.has(faultOf(cause).name)) throw cause;
      }
    });
  }

  async #head(key: string, target: Target, abortSignal: AbortSignal): Promise<HeadObjectCommandOutput> {
    try {
      return await this.#calls.client.send(new HeadObjectCommand(target), { abortSignal });
    } catch (cause) {
      if (!isNotFound(cause)) throw cause;
      throw new HoldfastError('ObjectMissing', `The ${this.#calls.label} has no ${key}.`, { cause });
    }
  }
}
