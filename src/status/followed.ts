/** Whether plans that are to run on change are followed by a workflow that runs: it may have been ended by hand. */
import type { Engine } from '../engine/connect.ts';
import { stillRuns } from '../engine/still-runs.ts';
import { watchedByHost } from '../policy/watched.ts';
import type { System } from '../system/types.ts';
import { workflowIds } from '../workflows/contract.ts';

/** Names of plans that are not followed. Throws what the engine's client throws. */
export async function plansNotFollowed({ client }: Engine, system: System): Promise<string[]> {
  const wanted = system.plans.filter((plan) => watchedByHost(system, plan).length > 0).map(({ name }) => name);
  const runs = await Promise.all(wanted.map((plan) => stillRuns(client, workflowIds.followChanges(system.name, plan))));
  return wanted.filter((_, index) => runs[index] === false);
}
