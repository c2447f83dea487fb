/** Is the active site silent, and may this one take over by itself? */
import { assessSite } from '../../policy/failover/assess.ts';
import { SILENT_LOOKS } from '../../policy/failover/automatic.ts';
import { failoverOf } from '../../sites/authority.ts';
import { bootClockMs } from '../../sites/boot-clock.ts';
import { readLease } from '../../sites/site-files.ts';
import type { System } from '../../system/types.ts';
import { lookFromAll } from '../failover/assess.ts';
import type { SiteLook } from './look.ts';

/**
 * One cheap look from every place; whether the site is down is for the failover to say, which looks for as long as is declared.
 * Where no guard runs nothing could be started, so that nothing is begun.
 */
export function lookForSilence(): SiteLook {
  let silent = 0;
  return async ({ context, system, newest }, { signal }) => {
    const { automatic, assess } = failoverOf(system);
    if (automatic === undefined || newest === undefined || newest.site === system.site) {
      silent = 0;
      return [];
    }
    if (!(await isGuarded(system))) return [];
    const reports = await lookFromAll(context, system, signal);
    const { state } = assessSite(reports, { quorum: assess.quorum, looks: 1, overMs: 0 });
    silent = state === 'down' ? silent + 1 : 0;
    if (silent < SILENT_LOOKS) return [];
    return [{ kind: 'silent', mark: `silent ${newest.n}`, n: newest.n, site: newest.site }];
  };
}

/** The guard of this machine has said something within a lease. */
async function isGuarded(system: System): Promise<boolean> {
  const said = await readLease(system.name);
  return said !== undefined && bootClockMs() - said.writtenAtMs < failoverOf(system).leaseSeconds * 1000;
}
