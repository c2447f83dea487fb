/** The plan by which names come to lead to another site, as it is printed, approved and kept. Pure. */
import type { Route53HealthEntry } from '../../system/dns-types.ts';
import { answerOf, type AnswerCheck, type RecordChange } from './dns-change.ts';
import { heldBy } from './dns-records.ts';

interface EntryPlanBase {
  /** Its place in `failover.dns` of the system file. */
  readonly index: number;
  /** For people. */
  readonly title: string;
  /** What its names must be answered with afterwards. */
  readonly checks: readonly AnswerCheck[];
  /** So long resolvers may remember the old answer. */
  readonly oldTtlSeconds: number;
}

export interface Route53EntryPlan extends EntryPlanBase {
  readonly kind: 'route53';
  readonly zone: string;
  /** With what stood there before: the way back. */
  readonly changes: readonly RecordChange[];
}

export interface HealthEntryPlan extends EntryPlanBase {
  readonly kind: 'route53-health';
  readonly zone: string;
  readonly was: SwitchState;
  readonly wanted: SwitchState;
}

export interface CommandEntryPlan extends EntryPlanBase {
  readonly kind: 'command';
  /** What its `read` printed; absent: it has none. */
  readonly state?: string;
}

export type SwitchState = 'on' | 'off';
export type DnsEntryPlan = Route53EntryPlan | HealthEntryPlan | CommandEntryPlan;

export interface DnsPlan {
  readonly toSite: string;
  readonly fromSite?: string;
  readonly entries: readonly DnsEntryPlan[];
  /** The printed plan: what is changed, from what to what. */
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
  /** Entries that could not be read, with why: nothing of them is changed. */
  readonly unplanned?: readonly string[];
}

/** What an approval of the plan stands for: what is changed from what to what, and no times. For canonicalJson. */
export function dnsDigestPart({ toSite, entries }: DnsPlan): object {
  return {
    toSite,
    entries: entries.map((entry) => {
      const { kind, index, title } = entry;
      if (kind === 'route53') return { kind, index, zone: entry.zone, changes: entry.changes };
      if (kind === 'command') return { kind, index, title, state: entry.state };
      return { kind, index, zone: entry.zone, was: entry.was, wanted: entry.wanted };
    }),
  };
}

/** How the switch has to stand for the names to lead to a site; undefined for a site that it does not know. */
export function switchFor({ primary, standby }: Route53HealthEntry, site: string): SwitchState | undefined {
  if (site === standby) return 'on';
  return site === primary ? 'off' : undefined;
}

/** What the names of a prepared switch are answered with while it stands so. */
export function switchAnswers(entry: Route53HealthEntry, state: SwitchState): AnswerCheck[] {
  const site = state === 'on' ? entry.standby : entry.primary;
  return entry.records.flatMap((record) => {
    const held = record.sites[site];
    return held === undefined ? [] : [answerOf(heldBy(record, held))];
  });
}
