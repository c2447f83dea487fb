/** The way without a control plane, made while there is one: record sets and their health check; and whether all is as declared. */
import { HoldfastError } from '../failures.ts';
import {
  auditPrepared,
  auditRecords,
  declaredCheck,
  NEW_CHECK,
  planPrepared,
  withCheck,
  type PreparedSeen,
  type Preparation,
} from '../policy/failover/dns-audit.ts';
import { changeLines } from '../policy/failover/dns-change.ts';
import { sameRecordSet } from '../policy/failover/dns-records.ts';
import type { Route53Entry, Route53HealthEntry } from '../system/dns-types.ts';
import { titleOf, withZone, type DnsContext } from './context.ts';
import { withHealthChecks } from './health-checks.ts';
import { asksLikeAChecker } from './health-switch.ts';
import type { ZoneNames } from './route53.ts';

export interface PreparedPlan extends Preparation {
  readonly entry: Route53HealthEntry;
  /** What is made and changed; empty: all is there. */
  readonly lines: readonly string[];
}

/** Changes nothing. Throws DnsUnfit with every reason, and what reading throws. */
export async function planPreparation(context: DnsContext, entry: Route53HealthEntry): Promise<PreparedPlan> {
  const plan = planPrepared(entry, await seenOf(context, entry));
  if (plan.refusals.length > 0) throw new HoldfastError('DnsUnfit', `${plan.refusals.join('; ')}.`);
  const nothing = plan.changes.every(({ before, after }) => sameRecordSet(before, after));
  if (nothing) return { ...plan, entry, lines: [] };
  const { url, intervalSeconds, failureThreshold } = entry.check;
  const check = `health check: new, inverted, asks ${url} every ${intervalSeconds} s, ${failureThreshold} in a row decide`;
  const lines = [...(plan.healthCheckId === undefined ? [check] : []), ...changeLines(plan.changes)];
  return { ...plan, entry, lines: lines.map((line) => `${titleOf(entry)}: ${line}`) };
}

/**
 * Makes what the plan says, the record sets in one batch and only where they are as planned; waits until it is in sync.
 * While the switch is on nothing is prepared: the names would go over at once. Throws DnsUnfit, DnsChanged, DnsPending.
 */
export async function prepareEntry(context: DnsContext, system: string, plan: PreparedPlan): Promise<void> {
  const { entry } = plan;
  const { signal, report, resolveSecret } = context;
  if (plan.lines.length === 0) return;
  if (await asksLikeAChecker(entry, signal)) {
    throw new HoldfastError(
      'DnsUnfit',
      `${entry.check.url} answers: the switch is on, and ${entry.standby} would take the names over now.`,
    );
  }
  const id =
    plan.healthCheckId ??
    (await withHealthChecks(entry, resolveSecret, (checks) =>
      checks.make(`${system}/${entry.zone}`, declaredCheck(entry), signal),
    ));
  const changes = withCheck(plan.changes, id);
  await withZone(context, entry, async (zone) => {
    const done = await zone.swap(changes, signal);
    const submitted = done.kind === 'submitted' ? { changeId: done.changeId } : {};
    await zone.awaitInSync(changes, submitted, { signal, report, withinMs: IN_SYNC_WITHIN_MS });
  });
}

const IN_SYNC_WITHIN_MS = 300_000;

async function seenOf(context: DnsContext, entry: Route53HealthEntry): Promise<PreparedSeen> {
  const records = await withZone(context, entry, (zone) => zone.read(entry.records, context.signal));
  const ids = new Set(records.flatMap(({ healthCheckId }) => (healthCheckId === undefined ? [] : [healthCheckId])));
  const checks = await withHealthChecks(entry, context.resolveSecret, async (health) => {
    const found = new Map<string, Awaited<ReturnType<typeof health.read>>>();
    for (const id of ids) if (id !== NEW_CHECK) found.set(id, await health.read(id, context.signal));
    return found;
  });
  return { records, checks };
}

export interface EntryAudit {
  readonly title: string;
  /** Empty: all is as declared. */
  readonly differences: readonly string[];
  /** What could not be looked at. */
  readonly unknown: readonly string[];
}

/** Whether a failover would find what it needs. What can't be seen is told apart from what differs. */
export async function auditNames(context: DnsContext): Promise<EntryAudit[]> {
  const audits: EntryAudit[] = [];
  for (const entry of context.entries) {
    if (entry.kind === 'command') continue;
    const title = titleOf(entry);
    try {
      audits.push({ title, ...(await auditEntry(context, entry)) });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      audits.push({ title, differences: [], unknown: [error.message] });
    }
  }
  return audits;
}

async function auditEntry(
  context: DnsContext,
  entry: Route53Entry | Route53HealthEntry,
): Promise<Omit<EntryAudit, 'title'>> {
  if (entry.kind === 'route53-health') {
    return { differences: auditPrepared(entry, await seenOf(context, entry)), unknown: [] };
  }
  return withZone(context, entry, async (zone) => {
    const records = await zone.read(entry.records, context.signal);
    const unknown: string[] = [];
    const guarded = await zone.protections(entry.records, context.signal).catch((error: unknown): ZoneNames[] => {
      // A right that changes nothing and that not everybody gives.
      if (!(error instanceof HoldfastError)) throw error;
      unknown.push(error.message);
      return [];
    });
    return { differences: auditRecords(entry, records, guarded), unknown };
  });
}
