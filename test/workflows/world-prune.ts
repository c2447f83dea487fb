/** A prune as workflows see it: one backup of four goes. */
import type { PruneActivities, PruneSummary } from '../../src/activities/types.ts';

export const PRUNE_DIGEST = '4'.repeat(64);
const PRUNE_PLAN: PruneSummary = {
  digest: PRUNE_DIGEST,
  keeps: 3,
  removesCount: 1,
  removes: [{ backup: 'aaaaaaaaaaaa', plan: 'daily', startedAt: '2026-11-01T00:00:00.000Z', why: 'no rule keeps it' }],
  freesObjects: 3,
  freesBytes: 30,
  asks: [],
  anomaliesCount: 0,
  anomalies: [],
  blocked: [],
};

export function prunes(asks: readonly string[] = []): PruneActivities {
  return {
    planPrune: () => Promise.resolve({ ...PRUNE_PLAN, asks }),
    condemnPruned: () => Promise.resolve({ sweep: '20261121T000000Z-000000000000', backups: 1, lockedBackups: 0 }),
    sweepCondemned: () => Promise.resolve({ outcome: 'swept', to: [], objects: 3, bytes: 30, locked: 0, settled: 0 }),
    keepLocks: () => Promise.resolve({ kept: 7, extended: 2, until: '2026-12-21T00:00:00.000Z' }),
  };
}
