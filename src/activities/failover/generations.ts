/** Raises, clears and gives back generations in the authority store. A repeat finds its own. */
import { HoldfastError } from '../../failures.ts';
import { siteSigner, withAuthority } from '../../sites/authority.ts';
import type { System } from '../../system/types.ts';
import {
  clearGeneration,
  newestGeneration,
  raiseGeneration,
  type Authority,
  type GenerationRecord,
} from '../../vault/sites/generation.ts';
import type { FailoverActivities, RaisedHere } from '../failover-types.ts';
import type { HostContext } from '../host-context.ts';
import { failoverOf } from '../../sites/authority.ts';

type Input<A extends keyof FailoverActivities> = Parameters<FailoverActivities[A]>[0];

export async function raiseSite(context: HostContext, asked: Input<'raiseSite'>): Promise<RaisedHere> {
  const system = await context.system(asked.system);
  const { n, raiseId, origin, by, digest } = asked;
  const by_ = await stamp(system);
  const given = {
    ...{ n, site: system.site, raiseId, digest, origin: stored(origin) },
    ...(by === undefined ? {} : { by: by.slice(0, 200) }),
  };
  const raised = await withAuthority(system, (authority) => raiseGeneration(authority, given, by_));
  if (raised.kind === 'taken') return { kind: 'taken', n: raised.by.n, site: raised.by.site };
  return { kind: 'raised', n: raised.record.n, sha256: raised.record.sha256 };
}

export async function clearSite(context: HostContext, asked: Input<'clearSite'>): Promise<void> {
  const system = await context.system(asked.system);
  const { n, sha256, fencing, evidence, by } = asked;
  const given = { fencing, evidence: evidence.slice(0, 2000), ...(by === undefined ? {} : { by: by.slice(0, 200) }) };
  const by_ = await stamp(system);
  await withAuthority(system, (authority) => clearGeneration(authority, { n, sha256 }, given, by_));
}

export async function takeBack(
  context: HostContext,
  asked: Input<'takeBack'>,
): ReturnType<FailoverActivities['takeBack']> {
  const system = await context.system(asked.system);
  const by = await stamp(system);
  return withAuthority(system, async (authority) => {
    const newest = await newestGeneration(authority);
    if (newest === undefined) throw new HoldfastError('ObjectMissing', 'the authority store holds no generation');
    const backId = `${asked.raiseId}/back`.slice(-200);
    // An answer to the first raise may have been lost; one that somebody else has raised since is theirs.
    if (newest.raiseId === backId) return cleared(authority, system, asked, newest, by);
    if (newest.n !== asked.n || newest.raiseId !== asked.raiseId) return { n: newest.n, site: newest.site };
    const raised = await raiseGeneration(
      authority,
      // Its own backups all count: nothing was ever written here.
      { n: asked.n + 1, site: asked.toSite, raiseId: backId, origin: { generation: asked.before } },
      by,
    );
    if (raised.kind === 'taken') return { n: raised.by.n, site: raised.by.site };
    return cleared(authority, system, asked, raised.record, by);
  });
}

async function cleared(
  authority: Authority,
  system: System,
  { n, why }: Input<'takeBack'>,
  record: GenerationRecord,
  by: Awaited<ReturnType<typeof stamp>>,
): Promise<{ n: number; site: string }> {
  const { fencing } = failoverOf(system);
  const evidence = `${system.site} never ran under generation ${n}: ${why}`.slice(0, 2000);
  await clearGeneration(authority, record, { fencing, evidence }, by);
  return { n: record.n, site: record.site };
}

function stored({ generation, pointAtMs }: Input<'raiseSite'>['origin']): { generation: number; pointAt?: string } {
  return { generation, ...(pointAtMs === undefined ? {} : { pointAt: new Date(pointAtMs).toISOString() }) };
}

async function stamp(system: System) {
  return { signer: await siteSigner(system), atMs: Date.now() };
}
