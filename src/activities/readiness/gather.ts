/** What concerns a site as a whole before a failover: who is active, where backups lie, names, drift. Changes nothing. */
import { parse } from 'yaml';
import { tell } from '../../observe/told.ts';
import { planNames } from '../../dns/plan.ts';
import { auditNames } from '../../dns/prepare.ts';
import { dnsContext } from '../../dns/context.ts';
import { HoldfastError } from '../../failures.ts';
import { CLOCK_ALLOWANCE } from '../../policy/failover/lease.ts';
import { driftOf } from '../../policy/failover/drift.ts';
import type { ReadinessFacts } from '../../policy/failover/readiness.ts';
import { failoverOf } from '../../sites/authority.ts';
import { drillHistory } from '../../status/drill-runs.ts';
import { longestIntervalSeconds } from '../../policy/schedule-interval.ts';
import { REHEARSAL } from '../../workflows/readiness-contract.ts';
import { siteStanding } from '../../sites/standing.ts';
import type { System } from '../../system/index.ts';
import type { HostContext } from '../host-context.ts';
import type { ReadinessActivities, SiteReadiness } from '../readiness-types.ts';
import type { Run } from '../shell.ts';

type Asked = Parameters<ReadinessActivities['gatherReadiness']>[0];

export async function gatherReadiness(context: HostContext, asked: Asked, run: Run): Promise<SiteReadiness> {
  const system = await context.system(asked.system);
  const { fencing, rpoSeconds, dns, leaseSeconds, stopSeconds } = failoverOf(system);
  run.report({ phase: 'who is active' });
  const generation = await generationSeen(system, run.signal);
  const active = typeof generation === 'object' && 'site' in generation ? generation.site : undefined;
  run.report({ phase: 'read the stores' });
  const storesUnread = await unread(context, system, run.signal);
  run.report({ phase: 'compare the system files' });
  const drift = await driftSeen(context, system, asked.newest);
  run.report({ phase: 'read the names' });
  const names = dns.length === 0 ? undefined : await namesSeen(system, active, run);
  return {
    site: system.site,
    fencing,
    ...(rpoSeconds === undefined ? {} : { rpoSeconds }),
    generation,
    storesUnread,
    storesElsewhere: system.stores.filter(({ place }) => place !== active).map(({ name }) => name),
    drift,
    ...(fencing === 'lease'
      ? { fenceWaitSeconds: Math.ceil((leaseSeconds + stopSeconds) * (1 + CLOCK_ALLOWANCE)) }
      : {}),
    ...(await rehearsed(system)),
    ...(names === undefined ? {} : { dns: names }),
  };
}

async function generationSeen(system: System, signal: AbortSignal): Promise<ReadinessFacts['generation']> {
  const standing = await siteStanding(system, { signal });
  switch (standing.kind) {
    case 'none':
      return 'none';
    case 'unreadable':
      return { unreadable: standing.why };
    case 'elsewhere':
      return { n: standing.n, site: standing.site, cleared: standing.cleared };
    case 'active':
    case 'handed':
      return { n: standing.n, site: system.site, cleared: true };
    case 'unclear':
      return { n: standing.n, site: system.site, cleared: false };
  }
}

async function unread(context: HostContext, system: System, signal: AbortSignal): Promise<string[]> {
  const found = await Promise.allSettled(
    system.stores.map(({ name }) => context.catalogue(system, name, { signal, isBrief: true })),
  );
  signal.throwIfAborted();
  return found.flatMap((outcome, index) =>
    outcome.status === 'fulfilled' ? [] : [`${system.stores[index]?.name ?? ''} (${tell(outcome.reason).message})`],
  );
}

async function driftSeen(
  context: HostContext,
  system: System,
  newest: Asked['newest'],
): Promise<ReadinessFacts['drift']> {
  if (newest === undefined) return { unknown: 'there is no backup that holds it' };
  try {
    const text = await context.withReader(system, newest.store, async (vault) =>
      (await vault.open(newest.manifestKey)).systemFileText(),
    );
    return { keys: driftOf(parse(system.sourceText), parse(text)) };
  } catch (error) {
    return { unknown: tell(error).message };
  }
}

/** One read of each zone and state, as a failover would plan it. */
async function namesSeen(
  system: System,
  active: string | undefined,
  run: Run,
): Promise<NonNullable<ReadinessFacts['dns']>> {
  const context = { ...dnsContext(system), signal: run.signal, report: (phase: string) => run.report({ phase }) };
  try {
    const { warnings, unplanned = [] } = await planNames(context, system.site, active);
    // What can't be looked at is no difference: a prepared switch is there for when nothing answers.
    const found = (await auditNames(context)).flatMap(({ title, differences }) =>
      differences.map((why) => ({ name: title, why })),
    );
    return [
      ...warnings.map((why) => ({ name: 'names', why, doubtful: true as const })),
      ...unplanned.map((why) => ({ name: 'names', why })),
      ...found,
    ];
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return [{ name: 'names', why: `${error.message} [${error.code}]` }];
  }
}

/** Absent where the system file asks for no rehearsals. */
async function rehearsed(system: System): Promise<Pick<ReadinessFacts, 'rehearsal'>> {
  const schedule = system.failover?.rehearsal;
  const everySeconds = schedule === undefined ? undefined : longestIntervalSeconds(schedule, Date.now());
  if (everySeconds === undefined) return {};
  try {
    const last = (await drillHistory(system)).find(({ by }) => by === REHEARSAL);
    if (last === undefined) return { rehearsal: { everySeconds } };
    const lastAtMs = Date.parse(last.finishedAt);
    return { rehearsal: { everySeconds, lastAtMs, lastOk: last.outcome === 'passed' } };
  } catch (error) {
    // No store answered, which is told by itself.
    if (error instanceof HoldfastError) return {};
    throw error;
  }
}
