/** Holds of runs that have ended without letting go: somebody terminated them, or the engine's history is gone. */
import { FAILOVER_HOLD, holdsOfRuns, releaseStack, type Hold } from '../sites/holds.ts';
import { workflowIds } from '../workflows/contract.ts';
import type { Run } from './shell.ts';
import type { SiteLook } from './site-watch/look.ts';

type Left = Hold & { readonly by: NonNullable<Hold['by']> };

/** None while a restore or a failover of the system runs, or where no engine can be asked. A person's are never among them. */
export async function holdsLeft(system: string, asker: Run['asker']): Promise<Left[]> {
  const held = await holdsOfRuns(system);
  if (held.length === 0 || asker === undefined) return [];
  for (const workflowId of [workflowIds.restore(system), workflowIds.failover(system)]) {
    if (await asker.stillRuns({ workflowId, runId: '' })) return [];
  }
  const left: Left[] = [];
  for (const hold of held) if (!(await asker.stillRuns(hold.by))) left.push(hold);
  return left;
}

/**
 * Where another site is active they are removed: that starts nothing, and they would keep the next failover from starting the
 * system here. Where this site is active a person decides, since what a restore has left half done must not be started. The
 * failover's own stays for the next one, which would be told apart from it by nothing.
 */
export function letGoOfLeft(): SiteLook {
  return async ({ system, newest }, { asker, log }) => {
    if (newest?.cleared === undefined || newest.site === system.site) return [];
    for (const { name, by } of await holdsLeft(system.name, asker)) {
      if (name === FAILOVER_HOLD) continue;
      log.warn({ hold: name, workflowId: by.workflowId }, 'the run that held the stack has ended: it is held no more');
      await releaseStack(system.name, name);
    }
    return [];
  };
}
