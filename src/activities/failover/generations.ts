/** Raises, clears and gives back generations in the authority store. A repeat finds its own. */
import { failoverOf, siteSigner, withAuthority } from '../../sites/authority.ts';
import type { System } from '../../system/types.ts';
import { clearGeneration, raiseGeneration } from '../../vault/sites/generation.ts';
import { giveGenerationBack } from '../../vault/sites/give-back.ts';
import type { FailoverActivities, RaisedHere } from '../failover-types.ts';
import type { HostContext } from '../host-context.ts';

type Input<A extends keyof FailoverActivities> = Parameters<FailoverActivities[A]>[0];

export async function raiseSite(context: HostContext, asked: Input<'raiseSite'>): Promise<RaisedHere> {
  const system = await context.system(asked.system);
  const { n, raiseId, origin, by, digest } = asked;
  const given = {
    ...{ n, site: system.site, raiseId, digest, origin: stored(origin) },
    ...(by === undefined ? {} : { by: by.slice(0, 200) }),
  };
  const stamped = await stamp(system);
  const raised = await withAuthority(system, (authority) => raiseGeneration(authority, given, stamped));
  if (raised.kind === 'taken') return { kind: 'taken', n: raised.by.n, site: raised.by.site };
  return { kind: 'raised', n: raised.record.n, sha256: raised.record.sha256 };
}

export async function clearSite(context: HostContext, asked: Input<'clearSite'>): Promise<void> {
  const system = await context.system(asked.system);
  const { n, sha256, fencing, evidence, by } = asked;
  const given = { fencing, evidence: evidence.slice(0, 2000), ...(by === undefined ? {} : { by: by.slice(0, 200) }) };
  const stamped = await stamp(system);
  await withAuthority(system, (authority) => clearGeneration(authority, { n, sha256 }, given, stamped));
}

export async function takeBack(
  context: HostContext,
  asked: Input<'takeBack'>,
): ReturnType<FailoverActivities['takeBack']> {
  const system = await context.system(asked.system);
  const { n, raiseId, toSite, before, why } = asked;
  const evidence = `${system.site} never ran under generation ${n}: ${why}`.slice(0, 2000);
  const cleared = { fencing: failoverOf(system).fencing, evidence };
  const by = await stamp(system);
  return withAuthority(system, (authority) =>
    giveGenerationBack(authority, { n, raiseId, toSite, before }, cleared, by),
  );
}

function stored({ generation, pointAtMs }: Input<'raiseSite'>['origin']): { generation: number; pointAt?: string } {
  return { generation, ...(pointAtMs === undefined ? {} : { pointAt: new Date(pointAtMs).toISOString() }) };
}

async function stamp(system: System) {
  return { signer: await siteSigner(system), atMs: Date.now() };
}
