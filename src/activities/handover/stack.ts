/** The stack of one host is stopped for another site, and started again when that does not take over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../failures.ts';
import { serverContainers } from '../../postgres/place.ts';
import { failoverOf } from '../../sites/authority.ts';
import { readHanded, removeHanded, writeHanded } from '../../sites/handed-file.ts';
import { HANDOVER_HOLD, holdStack, releaseStack, waitForGuard } from '../../sites/holds.ts';
import { isHeld, readLease } from '../../sites/site-files.ts';
import { SystemStack } from '../../sites/stack-handle.ts';
import { requireMayRun, siteStanding } from '../../sites/standing.ts';
import { whyMayNotRun } from '../../policy/failover/standing.ts';
import type { System } from '../../system/types.ts';
import type { HandoverActivities } from '../handover-types.ts';
import type { HostContext } from '../host-context.ts';
import type { Run } from '../shell.ts';

const POLL_MS = 250;

type Input<A extends keyof HandoverActivities> = Parameters<HandoverActivities[A]>[0];

export async function stopForHandover(
  context: HostContext,
  { system: name, n, attempt, databases }: Input<'stopForHandover'>,
  { signal, report }: Run,
): Promise<void> {
  const system = await context.system(name);
  const stack = stackOf(context, system, databases === 'stay' ? { spare: () => dumped(context, system) } : {});
  const handed = await readHanded(name);
  if (handed?.n !== n || handed.attempt !== attempt) {
    // What a guard keeps up is remembered by itself; elsewhere nobody else knows what ran.
    if (failoverOf(system).fencing !== 'lease') await stackOf(context, system).rememberRunning(signal);
    await writeHanded(name, { n, attempt });
  }
  await holdStack(name, HANDOVER_HOLD);
  report({ phase: 'stop the stack' });
  await stack.stop(failoverOf(system).stopSeconds * 1000, signal);
}

export async function runningHere(
  context: HostContext,
  { system: name }: Input<'runningHere'>,
  { signal }: Run,
): Promise<string[]> {
  return stackOf(context, await context.system(name)).running(signal);
}

export async function startAfterHandover(
  context: HostContext,
  { system: name }: Input<'startAfterHandover'>,
  { signal, report }: Run,
): Promise<void> {
  const system = await context.system(name);
  const standing = await siteStanding(system, { signal });
  // Before the hold goes: what the store does not say is no reason to let a stack start.
  if (standing.kind !== 'active') {
    throw new HoldfastError(
      'SiteFenced',
      `${name} is not started again at ${system.site}: ${whyMayNotRun(standing) ?? ''}`,
    );
  }
  await releaseStack(name, HANDOVER_HOLD);
  report({ phase: 'start the stack again' });
  if (failoverOf(system).fencing === 'lease') await waitForGuard(name, signal);
  else {
    await requireMayRun(system, signal);
    const stack = stackOf(context, system, { settled: () => true });
    await stack.load();
    await stack.start(signal);
  }
  await removeHanded(name);
}

/**
 * The file stays: when the generation comes back here, what it says is started again. The hold stays until the guard knows of the
 * newer generation, or has no lease: with the one it has read before it would start the stack once more.
 */
export async function endHandover(
  _: HostContext,
  { system }: Input<'endHandover'>,
  { signal, report }: Run,
): Promise<void> {
  const handed = await readHanded(system);
  for (;;) {
    const lease = await readLease(system);
    if (handed === undefined || !isHeld(lease) || lease.generation >= handed.n) break;
    report({ phase: 'until the guard knows of the newer generation' });
    await sleep(POLL_MS, undefined, { signal });
  }
  await releaseStack(system, HANDOVER_HOLD);
}

function stackOf(
  context: HostContext,
  system: System,
  more: Partial<ConstructorParameters<typeof SystemStack>[0]> = {},
): SystemStack {
  return new SystemStack({ system, host: context.host, docker: context.docker(), settled: () => false, ...more });
}

/** A dump is made by its server, so that this one is stopped last. */
async function dumped(context: HostContext, system: System): Promise<ReadonlySet<string>> {
  const servers = system.components.flatMap((one) =>
    one.kind === 'postgres' && one.host === context.host ? [one.server] : [],
  );
  const found = await Promise.all(servers.map((server) => serverContainers(server, context.docker())));
  return new Set(found.flat().map(({ id }) => id));
}
