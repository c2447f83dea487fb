import { describe, expect, test } from 'vitest';
import { replicaOf, type ReplicatedBackup, type ReplicationState } from '../../src/policy/replica.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const backup = (hours: number, state?: ReplicationState): ReplicatedBackup => ({
  backup: `b${hours}`,
  pointAtMs: NOW - hours * 3_600_000,
  writtenAtMs: NOW - hours * 3_600_000 + 60_000,
  ...(state === undefined ? {} : { state }),
});

describe('a bucket that replicates itself', () => {
  test('[M4] the newest backup that is there is its recovery point; what is newer waits, and since when', () => {
    const backups = [backup(3, 'completed'), backup(1, 'pending'), backup(2, 'pending'), backup(4, 'completed')];
    expect(replicaOf('s3', backups, NOW)).toEqual({
      store: 's3',
      pointAt: '2026-11-22T09:00:00.000Z',
      backup: 'b3',
      waiting: 2,
      lagSeconds: 2 * 3600 - 60,
      failed: [],
    });
  });

  test('[M4] all are there: nothing waits; what S3 gave up is named, also when a newer one is there', () => {
    expect(replicaOf('s3', [backup(1, 'completed')], NOW)).toMatchObject({ waiting: 0, backup: 'b1' });
    expect(replicaOf('s3', [backup(1, 'completed')], NOW)).not.toHaveProperty('lagSeconds');
    const given = [backup(1, 'completed'), backup(2, 'failed')];
    expect(replicaOf('s3', given, NOW)).toMatchObject({ waiting: 0, failed: ['b2'] });
    expect(replicaOf('s3', [backup(1, 'failed')], NOW)).toMatchObject({ waiting: 1, failed: ['b1'] });
    expect(replicaOf('s3', [backup(1, 'failed')], NOW)).not.toHaveProperty('pointAt');
  });

  test('nothing replicates, or there is nothing: nothing is said', () => {
    expect(replicaOf('s3', [backup(1)], NOW)).toBeUndefined();
    expect(replicaOf('s3', [], NOW)).toBeUndefined();
  });
});
