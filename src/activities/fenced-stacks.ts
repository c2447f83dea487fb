/**
 * A site that comes back and sees that another one has taken a system over stops its stack before anything else. Under a lease
 * the site guard does that; for the other ways of fencing the worker of each host looks, when it starts and ever after.
 */
import path from 'node:path';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { log } from '../observe/log.ts';
import { readPreparing } from '../sites/prepared-file.ts';
import { sitesDirectory } from '../sites/site-files.ts';
import { SystemStack } from '../sites/stack-handle.ts';
import { siteStanding } from '../sites/standing.ts';
import { listSystems, loadKnownSystem, type System } from '../system/index.ts';
import type { HostContext } from './host-context.ts';

const fencedSchema = z.object({ format: z.literal(1), at: z.string(), n: z.number().int(), site: z.string() });

/** That the stack was stopped here, because the system belongs to another site. */
export type FencedHere = z.infer<typeof fencedSchema>;

/** Undefined where it was not stopped, or where the system has come back since. */
export async function fencedHere(system: string): Promise<FencedHere | undefined> {
  const found = await readJson(fencedPath(system));
  return found === undefined ? undefined : fencedSchema.parse(found);
}

/**
 * One look at every system of this machine that has sites and no lease. What belongs to another site is stopped, and said in
 * the log and to `monitor`. A system that can't be looked at keeps none of the others from it.
 */
export async function stopFencedStacks(context: HostContext, signal: AbortSignal): Promise<void> {
  for (const { name } of await listSystems()) {
    signal.throwIfAborted();
    try {
      const { system } = await loadKnownSystem(name);
      if (isLookedAfter(system, context.host)) await stopFenced(context, system, signal);
    } catch (error) {
      signal.throwIfAborted();
      log('sites').error({ err: error, system: name }, 'whether its stack may run here could not be seen to');
    }
  }
}

function isLookedAfter(system: System, host: string): boolean {
  return system.failover !== undefined && system.failover.fencing !== 'lease' && system.hosts.includes(host);
}

async function stopFenced(context: HostContext, system: System, signal: AbortSignal): Promise<void> {
  const standing = await siteStanding(system, { signal });
  if (standing.kind === 'active') await removeDurably(fencedPath(system.name));
  // Not to know is no reason to stop what nobody else is known to run.
  if (standing.kind !== 'elsewhere') return;
  // A standby that restores ahead starts database servers alone, to fill them.
  if ((await readPreparing(system.name))?.generation === standing.n) return;
  const stack = new SystemStack({ system, host: context.host, docker: context.docker(), settled: () => false });
  if ((await stack.look(signal)) === 'down') return;
  const { n, site } = standing;
  const about = { system: system.name, generation: n, activeSite: site };
  log('sites').error(about, `${system.name} belongs to ${site}: its stack is stopped here`);
  await stack.stop((system.failover?.stopSeconds ?? 0) * 1000, signal);
  await writeDurably(fencedPath(system.name), { format: 1, at: new Date().toISOString(), n, site });
  log('sites').warn(about, 'its stack is stopped here');
}

function fencedPath(system: string): string {
  return path.join(sitesDirectory(system), 'fenced.json');
}
