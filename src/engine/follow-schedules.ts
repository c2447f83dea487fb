/** The schedules of this machine's system files are kept applied. */
import type { ScheduleChange } from '../policy/schedule-diff.ts';
import { keepLastGood } from '../system/last-good.ts';
import { loadSystem } from '../system/index.ts';
import type { Engine } from './connect.ts';
import {
  applySchedules,
  hasChanges,
  leavingOthers,
  planAbandoned,
  planSchedules,
  type PlannedSchedules,
} from './schedules.ts';
import { SystemFilesFollower } from './system-files.ts';

export type ScheduleNews =
  | { readonly did: 'applied'; readonly system: string; readonly changes: readonly ScheduleChange[] }
  | { readonly did: 'failed'; readonly system: string; readonly error: string };

/** Applies what every file declares, and removes what is declared no longer. */
export function schedulesFollower(tell: (news: ScheduleNews) => void): SystemFilesFollower {
  const apply = async ({ client }: Engine, planned: PlannedSchedules): Promise<void> => {
    if (!hasChanges(planned)) return;
    await applySchedules(client, planned);
    const changes = planned.changes.filter((change) => change.do !== 'keep');
    tell({ did: 'applied', system: planned.system, changes });
  };
  return new SystemFilesFollower({
    ofSystem: async (engine, system) => {
      const declared = await loadSystem(system);
      await keepLastGood(declared);
      const planned = await planSchedules(engine.client, declared);
      await apply(engine, await leavingOthers(engine, planned));
    },
    ofAll: async (engine, systems) => {
      // A directory that is not mounted looks like this: then a person says whether all of it is to go (`holdfast apply`).
      if (systems.length === 0) return;
      for (const abandoned of await planAbandoned(engine, systems)) await apply(engine, abandoned);
    },
    failed: (system, error) => tell({ did: 'failed', system, error }),
  });
}
