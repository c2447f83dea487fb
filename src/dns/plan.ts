/** What would be changed for the names of a system to lead to a site. Changes nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import { changeLines, oldTtlSeconds, planRecord } from '../policy/failover/dns-change.ts';
import { switchAnswers, switchFor, type DnsEntryPlan, type DnsPlan } from '../policy/failover/dns-plan.ts';
import { heldBy, plainName, ttlOf } from '../policy/failover/dns-records.ts';
import type { DnsCommandEntry, DnsEntry, Route53Entry, Route53HealthEntry } from '../system/dns-types.ts';
import { readState } from './command.ts';
import { firstLine, titleOf, withZone, type DnsContext } from './context.ts';
import { switchState } from './health-switch.ts';

const TRIES = 4;
const PAUSE_MS = 1000;

/**
 * What can't be read now is named in `unplanned` and keeps none of the others from being planned: a zone whose control plane
 * is down leaves a prepared switch as good as it was. Throws DnsUnfit with every reason at once, and where nothing could be
 * planned what the first entry threw.
 */
export async function planNames(context: DnsContext, toSite: string, fromSite: string | undefined): Promise<DnsPlan> {
  const parts: EntryPlanned[] = [];
  const failed: HoldfastError[] = [];
  const unplanned: string[] = [];
  for (const [index, entry] of context.entries.entries()) {
    context.report(`reading ${titleOf(entry)}`);
    try {
      parts.push(await patiently(context, () => planEntry(context, { entry, index, toSite, fromSite })));
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      failed.push(error);
      unplanned.push(`${titleOf(entry)}: ${error.message} [${error.code}]`);
    }
  }
  const [first] = failed;
  if (first !== undefined && parts.length === 0) throw first;
  const refusals = parts.flatMap((part) => part.refusals);
  if (refusals.length > 0) throw new HoldfastError('DnsUnfit', `${refusals.join('; ')}.`, { details: { refusals } });
  return {
    toSite,
    ...(fromSite === undefined ? {} : { fromSite }),
    entries: parts.flatMap(({ plan }) => (plan === undefined ? [] : [plan])),
    lines: parts.flatMap(({ lines }) => lines),
    warnings: parts.flatMap(({ warnings }) => warnings),
    ...(unplanned.length === 0 ? {} : { unplanned }),
  };
}

/** A moment of throttling is no reason to leave a name out, and a control plane that is down may not hold up the others. */
async function patiently<T>({ pollMs = PAUSE_MS, signal, report }: DnsContext, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError) || !error.waitingHelps || tries === TRIES) throw error;
      report(`${error.message} It is read again.`);
      await sleep(pollMs * tries, undefined, { signal });
    }
  }
}

interface EntryPlanned {
  readonly plan?: DnsEntryPlan;
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
  readonly refusals: readonly string[];
}

interface ToPlan<E extends DnsEntry = DnsEntry> {
  readonly entry: E;
  readonly index: number;
  readonly toSite: string;
  readonly fromSite: string | undefined;
}

function planEntry(context: DnsContext, asked: ToPlan): Promise<EntryPlanned> {
  const { entry } = asked;
  switch (entry.kind) {
    case 'route53':
      return planRoute53(context, { ...asked, entry });
    case 'route53-health':
      return planSwitch(context, { ...asked, entry });
    case 'command':
      return planCommand(context, { ...asked, entry });
  }
}

async function planRoute53(context: DnsContext, { entry, index, toSite }: ToPlan<Route53Entry>): Promise<EntryPlanned> {
  const seen = await withZone(context, entry, (zone) => zone.read(entry.records, context.signal));
  const plans = entry.records.map((record) => planRecord(record, seen, toSite));
  const changes = plans.flatMap((plan) => plan.changes);
  const title = titleOf(entry);
  return {
    plan: {
      kind: 'route53',
      index,
      title,
      zone: entry.zone,
      changes,
      checks: plans.flatMap(({ answer }) => (answer === undefined ? [] : [answer])),
      oldTtlSeconds: oldTtlSeconds(changes),
    },
    lines: changeLines(changes).map((line) => `${title}: ${line}`),
    warnings: plans.flatMap(({ warnings }) => warnings),
    refusals: plans.flatMap(({ refusals }) => refusals),
  };
}

async function planSwitch(
  context: DnsContext,
  { entry, index, toSite }: ToPlan<Route53HealthEntry>,
): Promise<EntryPlanned> {
  const wanted = switchFor(entry, toSite);
  const title = titleOf(entry);
  if (wanted === undefined) {
    return { lines: [], warnings: [], refusals: [`${title} leads to ${entry.primary} or ${entry.standby} only`] };
  }
  const was = await switchState(entry, context);
  const names = entry.records.map(({ name }) => plainName(name)).join(', ');
  const ttls = entry.records.flatMap((record) =>
    Object.values(record.sites).map((held) => ttlOf(heldBy(record, held))),
  );
  const how = `${title}: the switch goes ${wanted}, so that its health check lets ${names} lead to ${toSite}`;
  return {
    plan: {
      kind: 'route53-health',
      index,
      title,
      zone: entry.zone,
      was,
      wanted,
      checks: switchAnswers(entry, wanted),
      oldTtlSeconds: was === wanted ? 0 : Math.max(...ttls),
    },
    lines: [was === wanted ? `${title}: the switch is ${wanted} already` : how],
    warnings: [],
    refusals: [],
  };
}

async function planCommand(
  context: DnsContext,
  { entry, index, toSite, fromSite }: ToPlan<DnsCommandEntry>,
): Promise<EntryPlanned> {
  const { signal, resolveSecret } = context;
  const state = await readState(entry, {
    place: { site: toSite, fromSite, state: undefined },
    signal,
    resolveSecret,
  });
  return {
    plan: {
      kind: 'command',
      index,
      title: entry.name,
      checks: [],
      oldTtlSeconds: entry.ttlSeconds,
      ...(state === undefined ? {} : { state }),
    },
    lines: [
      `${entry.name}: ${state === undefined ? '' : `${firstLine(state)} → `}${entry.change[0] ?? ''} for ${toSite}`,
    ],
    warnings: [],
    refusals: [],
  };
}
