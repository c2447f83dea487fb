/** What is wrong with the sites of a system, as a host sees it when `monitor` asks. */
import { existsSync } from 'node:fs';
import type { TroubleSeen } from '../policy/host-look.ts';
import { restartPolicies } from '../sites/restart-policies.ts';
import { readLease } from '../sites/site-files.ts';
import { unguardedUnits } from '../sites/unit-starts.ts';
import { siteStanding } from '../sites/standing.ts';
import type { System } from '../system/types.ts';
import { fencedHere } from './fenced-stacks.ts';
import type { HostContext } from './host-context.ts';
import { holdsLeft } from './holds-left.ts';
import type { Run } from './shell.ts';

export async function sitesSeen(
  context: Pick<HostContext, 'host' | 'docker'>,
  system: System,
  { signal, asker }: Pick<Run, 'signal' | 'asker'>,
): Promise<TroubleSeen[]> {
  const { failover, name } = system;
  if (failover === undefined) return [];
  const show = `holdfast site ${name}`;
  const standing = await siteStanding(system, { signal });
  const fenced = await fencedHere(name);
  const troubles: TroubleSeen[] = [];
  const tell = (subject: string, what: string, hint: string): void => void troubles.push({ subject, what, hint });
  if (standing.kind === 'unreadable') {
    tell(
      'authority',
      `which site is active can't be read: ${standing.why}`,
      `${show}; nothing is started until it can`,
    );
  }
  if (standing.kind === 'none') tell('generation', 'the system was never put on a site', `${show} --activate`);
  if (fenced !== undefined && standing.kind !== 'active') {
    const what = `the stack was stopped here at ${fenced.at}: generation ${fenced.n} belongs to ${fenced.site}`;
    tell('fenced', what, `${show}; what was written here since the other site took over is on this site alone`);
  }
  if (failover.fencing === 'lease') {
    const lease = await readLease(name);
    if (lease === undefined || !existsSync(`/proc/${lease.pid}`)) {
      tell('guard', 'no site guard runs: nothing keeps the lease of this site', `${show} --guard install`);
    }
    for (const { container, policy } of await restartPolicies({
      system,
      host: context.host,
      docker: context.docker(),
    })) {
      const what = `${container} has the restart policy ${policy}: the engine would start it without the lease`;
      tell(container, what, `${show} --guard policies, and restart: 'no' in the Compose file`);
    }
    for (const unit of await unguardedUnits({ system, host: context.host }, signal)) {
      tell(unit, `${unit} asks for no lease: systemd would start it without one`, `${show} --guard policies`);
    }
  }
  for (const { name: hold, at, by } of await holdsLeft(name, asker)) {
    const what = `the stack is held by ${hold} since ${at}: the run of ${by.workflowId} that did it has ended`;
    tell(`held/${hold}`, what, `see what it has left (holdfast status ${name}), then ${show} --release ${hold}`);
  }
  return troubles;
}
