/** How far the replication of a bucket by its provider has come: the recovery point that the replica gives. Pure. */

/** As S3 tells it of an object at its source (x-amz-replication-status of HeadObject). */
export type ReplicationState = 'completed' | 'pending' | 'failed';

/** One backup in the source, newest first. */
export interface ReplicatedBackup {
  readonly backup: string;
  readonly pointAtMs: number;
  /** When its manifest was written, which is after all that it names. */
  readonly writtenAtMs: number;
  /** Of its manifest; absent: the bucket does not replicate it. */
  readonly state?: ReplicationState;
}

export interface ReplicaSeen {
  readonly store: string;
  /** RFC 3339: the newest backup whose manifest is at the replica; absent: none of those looked at. */
  readonly pointAt?: string;
  readonly backup?: string;
  /** Newer ones that are not. */
  readonly waiting: number;
  /** How long the oldest of those has waited. */
  readonly lagSeconds?: number;
  /** Ids of those that S3 has given up. */
  readonly failed: readonly string[];
}

/** Undefined where nothing is replicated, or was begun only after the newest. */
export function replicaOf(store: string, backups: readonly ReplicatedBackup[], nowMs: number): ReplicaSeen | undefined {
  const known = backups.filter(({ state }) => state !== undefined);
  if (known.length === 0) return undefined;
  const sorted = backups.toSorted((one, other) => other.pointAtMs - one.pointAtMs);
  const at = sorted.findIndex(({ state }) => state === 'completed');
  const newer = (at < 0 ? sorted : sorted.slice(0, at)).filter(({ state }) => state !== undefined);
  const there = sorted[at];
  const oldestMs = Math.min(...newer.map(({ writtenAtMs }) => writtenAtMs));
  return {
    store,
    ...(there === undefined ? {} : { pointAt: new Date(there.pointAtMs).toISOString(), backup: there.backup }),
    waiting: newer.length,
    ...(newer.length === 0 ? {} : { lagSeconds: Math.max(0, Math.round((nowMs - oldestMs) / 1000)) }),
    failed: known.filter(({ state }) => state === 'failed').map(({ backup }) => backup),
  };
}
