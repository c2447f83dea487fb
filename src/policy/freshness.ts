/** Whether what a plan promises is there: the newest usable backup against the recovery point objective. Pure. */
import { counts } from './backup-seen.ts';

export interface BackupFact {
  readonly id: string;
  readonly pointAtMs: number;
  readonly purpose: 'backup' | 'safety';
  /** Why it is no part of the history in force. */
  readonly apart?: string;
  readonly trusted: boolean;
  /** The newest verdict there is; undefined when nobody has verified it. */
  readonly verified?: { readonly level: string; readonly ok: boolean };
}

export interface Freshness {
  readonly state: 'fresh' | 'stale' | 'missing' | 'unbounded';
  readonly why: string;
  readonly newest?: BackupFact;
  readonly ageSeconds?: number;
  readonly limitSeconds?: number;
}

/** Clocks of two machines may differ by this much before a backup counts as being from the future. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/**
 * Safety backups, those kept apart, untrusted ones, those with a bad verdict and those from the future never count. Age is measured from
 * the recovery point. A plan without an objective is `unbounded`, or `missing` when nothing is there.
 */
export function freshness(
  backups: readonly BackupFact[],
  objective: { readonly rpoSeconds?: number | undefined },
  nowMs: number,
): Freshness {
  const usable = backups.filter((backup) => isUsable(backup, nowMs)).toSorted((a, b) => b.pointAtMs - a.pointAtMs);
  const limit = objective.rpoSeconds === undefined ? {} : { limitSeconds: objective.rpoSeconds };
  const [newest] = usable;
  if (newest === undefined) return { state: 'missing', why: whyMissing(backups, nowMs), ...limit };
  const ageSeconds = Math.max(0, Math.floor((nowMs - newest.pointAtMs) / 1000));
  const facts = { newest, ageSeconds, ...limit };
  if (objective.rpoSeconds === undefined) return { state: 'unbounded', why: 'the plan has no rpo', ...facts };
  if (ageSeconds > objective.rpoSeconds) {
    return { state: 'stale', why: 'the newest backup is older than the objective', ...facts };
  }
  return { state: 'fresh', why: 'the newest backup is within the objective', ...facts };
}

function isUsable(backup: BackupFact, nowMs: number): boolean {
  const fromFuture = backup.pointAtMs > nowMs + CLOCK_TOLERANCE_MS;
  return counts(backup) && backup.trusted && backup.verified?.ok !== false && !fromFuture;
}

function whyMissing(backups: readonly BackupFact[], nowMs: number): string {
  const own = backups.filter((backup) => backup.purpose === 'backup');
  if (own.length === 0) return 'there is no backup';
  if (own.every((backup) => !counts(backup))) return 'no backup belongs to the history of the active site';
  if (own.every((backup) => !backup.trusted)) return 'no backup is trusted';
  if (own.every((backup) => backup.verified?.ok === false)) return 'every backup failed its verification';
  if (own.every((backup) => backup.pointAtMs > nowMs + CLOCK_TOLERANCE_MS))
    return 'every backup is from the future: check the clocks';
  return 'no backup is usable';
}
