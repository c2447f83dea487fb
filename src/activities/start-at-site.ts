/** Stopping and starting around a restore, where only the active site may run the system, and under a lease only its guard. */
import { HoldfastError } from '../failures.ts';
import { FAILOVER_HOLD, holdStack, releaseStack, stackHolds, waitForGuard, type Hold } from '../sites/holds.ts';
import { requireMayRun } from '../sites/standing.ts';
import type { System } from '../system/types.ts';
import type { Run } from './shell.ts';

function holdOf(restoreId: string): string {
  return `restore-${restoreId}`;
}

/** Before anything is stopped: a guard would start it again. */
export async function holdForRestore(
  system: System,
  { restoreId, takeover }: { readonly restoreId: string; readonly takeover: boolean },
  by: Hold['by'],
): Promise<void> {
  if (system.failover?.fencing !== 'lease') return;
  await holdStack(system.name, holdOf(restoreId), by);
  // Stopped again after its start: it stays so until the generation was given back.
  if (takeover) await holdStack(system.name, FAILOVER_HOLD, by);
}

/** What this restore has held; a failover's own hold stays. */
export async function letGo(system: System, restoreId: string): Promise<void> {
  await releaseStack(system.name, holdOf(restoreId));
}

/**
 * True when the worker may start what the restore has stopped or made; under a lease the guard has started it then. False: it
 * stays down, because somebody else holds it still. Throws SiteFenced, and Unhealthy when no guard starts it.
 */
export async function letStart(
  system: System,
  order: {
    readonly restoreId: string;
    readonly asBefore: boolean;
    readonly nothing: boolean;
    readonly takeover?: boolean;
  },
  run: Pick<Run, 'signal' | 'report' | 'log'>,
): Promise<boolean> {
  const { failover, name } = system;
  if (failover === undefined) return true;
  if (failover.fencing !== 'lease') {
    if (!order.nothing) await requireMayRun(system, run.signal);
    return true;
  }
  await releaseStack(name, holdOf(order.restoreId));
  // What a failover has waited for is this restore; one that is undone is no reason to start.
  if (!order.asBefore) await releaseStack(name, FAILOVER_HOLD);
  if (order.nothing) return true;
  const holds = await stackHolds(name);
  if (holds.length > 0 && order.takeover === true) {
    throw new HoldfastError('Unhealthy', `${name} is not started here: it is held by ${holds.join(', ')}`, {
      hint: `holdfast site ${name} --release <name> ends a hold that nobody needs any more.`,
    });
  }
  if (holds.length > 0) {
    run.log.warn({ holds }, 'what was stopped stays down: somebody holds it still');
    return false;
  }
  run.report({ phase: 'wait for the site guard' });
  await waitForGuard(name, run.signal);
  return true;
}
