/** What the workflow of a site that stops for another one goes by. */
import { lastPlans } from '../../policy/failover/last-plans.ts';
import { failoverOf } from '../../sites/authority.ts';
import { loadSystem } from '../../system/index.ts';
import { activity } from '../shell.ts';
import type { HandoverFactsActivities, HandoverSetup } from '../handover-types.ts';

export function createHandoverFactsActivities(): HandoverFactsActivities {
  return { describeHandover: activity('describeHandover', ({ system }) => describeHandover(system)) };
}

async function describeHandover(name: string): Promise<HandoverSetup> {
  const system = await loadSystem(name);
  const { fencing, handover } = failoverOf(system);
  const { site, hosts, plans } = system;
  return { site, hosts, fencing, plans: lastPlans(plans), raiseSeconds: handover.raiseSeconds };
}
