/** The facts of a system's section `failover` that the workflow decides by. */
import { takeoverDigest } from '../../policy/failover/digest.ts';
import { failoverOf } from '../../sites/authority.ts';
import { loadSystem } from '../../system/index.ts';
import type { FailoverFactsActivities, FailoverSetup } from '../failover-types.ts';
import { activity } from '../shell.ts';

export function createFailoverFactsActivities(): FailoverFactsActivities {
  return {
    describeFailover: activity('describeFailover', describeFailover),
    digestFailover: activity('digestFailover', ({ takeover, parts }) =>
      Promise.resolve({ digest: takeoverDigest(takeover, parts) }),
    ),
  };
}

/** Throws BadInput where the system runs at one site alone. */
async function describeFailover({ system: name }: { system: string }): Promise<FailoverSetup> {
  const system = await loadSystem(name);
  const { fencing, leaseSeconds, assess, rpoSeconds, automatic, check, dns, handover } = failoverOf(system);
  const { quorum, looks, overSeconds } = assess;
  return {
    system: name,
    site: system.site,
    hosts: system.hosts,
    fencing,
    leaseSeconds,
    rule: { quorum, looks, overMs: overSeconds * 1000 },
    ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
    ...(automatic === undefined ? {} : { automaticDownForSeconds: automatic.downForSeconds }),
    publicCheck: check !== undefined,
    ...(dns.length === 0 ? {} : { names: true as const }),
    approvalLimitSeconds: system.approval.limitSeconds,
    answerSeconds: handover.answerSeconds,
  };
}
