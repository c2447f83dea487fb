/** Whether there are other sites to look at, and which host looks. */
import { loadSystem } from '../../system/index.ts';
import { activity } from '../shell.ts';
import type { SiteWatchFacts, SiteWatchFactsActivities } from '../site-watch-types.ts';

export function createSiteWatchFactsActivities(): SiteWatchFactsActivities {
  return { describeSiteWatch: activity('describeSiteWatch', ({ system }) => describeSiteWatch(system)) };
}

async function describeSiteWatch(name: string): Promise<SiteWatchFacts | undefined> {
  const { site, hosts, failover } = await loadSystem(name);
  const [host] = hosts;
  return failover === undefined || host === undefined ? undefined : { site, host };
}
