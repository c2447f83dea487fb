/** Of a system with several sites: which is active, the guard, and what would start the stack without it. */
import { sitesSeen } from '../activities/sites-seen.ts';
import { connectDocker } from '../docker/connect.ts';
import type { DockerHost } from '../docker/types.ts';
import { localHost } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { failed, ok, warn, type Finding } from './examination.ts';

export async function examineSites(system: System): Promise<Finding[]> {
  if (system.failover === undefined) return [];
  let opened: DockerHost | undefined;
  try {
    const context = { host: localHost(system), docker: (): DockerHost => (opened ??= connectDocker()) };
    const troubles = await sitesSeen(context, system, { signal: new AbortController().signal });
    if (troubles.length === 0) return [ok('sites', `${system.site} of ${system.failover.sites.join(', ')}`)];
    return troubles.map(({ subject, what, hint }) => warn(`site ${subject}`, what, hint));
  } catch (error) {
    return [failed('sites', error)];
  } finally {
    opened?.close();
  }
}
