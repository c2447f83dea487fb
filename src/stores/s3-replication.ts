/** What S3 tells of an object's way into the bucket that its own is replicated to. */
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { ReplicationState } from '../policy/replica.ts';
import type { S3Calls } from './s3-calls.ts';
import { isNotFound } from './s3-errors.ts';
import type { StoreReplication } from './store.ts';

/** API reference, HeadObject: PENDING, COMPLETED (COMPLETE in older answers), FAILED; REPLICA at the destination. */
const STATES: Readonly<Record<string, ReplicationState>> = {
  PENDING: 'pending',
  COMPLETED: 'completed',
  COMPLETE: 'completed',
  FAILED: 'failed',
};

export class S3Replication implements StoreReplication {
  readonly #calls: S3Calls;

  constructor(calls: S3Calls) {
    this.#calls = calls;
  }

  async stateOf(key: string): Promise<ReplicationState | undefined> {
    const target = this.#calls.target(key);
    return this.#calls.run(`ask whether ${key} is replicated`, {}, async ({ signal: abortSignal }) => {
      try {
        const { ReplicationStatus } = await this.#calls.client.send(new HeadObjectCommand(target), { abortSignal });
        return ReplicationStatus === undefined ? undefined : STATES[ReplicationStatus];
      } catch (cause) {
        // Pruned since it was listed.
        if (isNotFound(cause)) return undefined;
        throw cause;
      }
    });
  }
}
