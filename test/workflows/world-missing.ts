/** What the scripted world answers about missing files: so many as a test says, and which of them were put back. */
import type { MissingActivities } from '../../src/activities/missing-types.ts';
import type { MissingPlan } from '../../src/workflows/contract.ts';
import { HOST } from './world-answers.ts';

/** Of the world's plan with three files missing. */
export const MISSING_DIGEST = '3'.repeat(64);

export interface MissingWorld {
  backupInUse: string;
  filesMissing: number;
  readonly besides: Set<string>;
  readonly swapped: Set<string>;
}

export function missingActivities(world: MissingWorld): MissingActivities {
  return {
    planMissing: ({ component, bring, changed, paths, undo, backup = world.backupInUse }) => {
      if (bring && undo === undefined) world.besides.add(component);
      return Promise.resolve({
        ...planOf(world, backup),
        changed,
        paths,
        ...(undo === undefined ? {} : { undoes: undo }),
      });
    },
    applyMissing: () => {
      world.swapped.add('missing');
      const done = { files: world.filesMissing, directories: 0, links: 0, bytes: 30 };
      return Promise.resolve({ done, replaced: 0, left: 0, failed: 0, doneFile: '/done.jsonl' });
    },
    discardMissing: ({ component }) => {
      world.besides.delete(component);
      return Promise.resolve();
    },
  };
}

function planOf(world: MissingWorld, backup: string): MissingPlan {
  const digest = String(world.filesMissing % 10).repeat(64);
  return {
    digest,
    affectedSha256: digest,
    backup,
    manifestKey: 'backups/daily/x.json',
    store: 'main',
    pointAt: '2026-11-21T02:00:00Z',
    ageSeconds: 60,
    component: 'config',
    kind: 'files',
    host: HOST,
    place: '/srv/config',
    paths: [],
    changed: false,
    missing: { files: world.filesMissing, directories: 0, links: 0, bytes: 10 * world.filesMissing },
    differ: { files: 0, bytes: 0 },
    same: 5,
    inTheWay: 0,
    listFile: '/list.jsonl',
    warnings: [],
  };
}
