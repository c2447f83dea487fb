import { describe, expect, test } from 'vitest';
import { restoreWarnings } from '../../src/policy/restore-warnings.ts';
import type { VolumeComponent } from '../../src/system/types.ts';

const POINT = '2026-11-21T02:00:00.000Z';

function volume(exclude: string[]): VolumeComponent {
  return {
    name: 'ledger',
    kind: 'volume',
    tier: 'critical',
    host: 'local',
    after: [],
    volume: 'tigerbeetle-data',
    quiesce: { mode: 'pause', budgetSeconds: 10 },
    exclude,
  };
}

describe('what a restore in place warns of', () => {
  test('nothing newer than the backup, nothing left out: no warning', () => {
    const live = { exists: true, newestChangeMs: Date.parse(POINT), problems: [] };
    expect(restoreWarnings([{ component: volume([]), live }], POINT)).toEqual([]);
  });

  test('the live state is newer: what will be lost is said with its time', () => {
    const live = { exists: true, newestChangeMs: Date.parse(POINT) + 1000, problems: ['unreadable'] };
    expect(restoreWarnings([{ component: volume([]), live }], POINT)).toEqual([
      'ledger: unreadable',
      'ledger: changes after 2026-11-21T02:00:00.000Z will be lost; the newest is of 2026-11-21T02:00:01.000Z',
    ]);
  });

  test('a volume whose backups leave something out: it is said where that stays', () => {
    const live = { exists: true, problems: [] };
    expect(restoreWarnings([{ component: volume(['*.tmp', 'cache']), live }], POINT)).toEqual([
      'ledger: what its backups leave out (*.tmp, cache) stays in the volume that is kept aside',
    ]);
    const gone = { exists: false, problems: [] };
    expect(restoreWarnings([{ component: volume(['*.tmp']), live: gone }], POINT)).toEqual([]);
  });
});
