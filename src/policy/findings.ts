/**
 * What is wrong with a system at this moment, as every part of Holdfast speaks of it: monitoring finds it, an incident
 * follows it, notifications, metrics and the page tell it. Pure.
 */

/** What is looked at. A name stays for ever: it is part of ids, labels and alert rules. */
export const CHECKS = [
  /** The newest usable backup of a plan against its limit. */
  'freshness',
  /** The newest proved backup of a plan against its limit. */
  'proof',
  /** The newest copy in each store, and the copies against the rule. */
  'copy',
  /** The write-ahead log of a component. */
  'wal',
  /** The newest backup's size against the mean of the days before. */
  'size',
  /** What the stores hold in all. */
  'total-size',
  /** A run of a plan, a verification, a prune … that failed. */
  'run',
  /** Something stored is damaged, or a backup failed its verification. */
  'corruption',
  /** A store that can't be read. */
  'store',
  /** A component that can't be captured: its database, volume or files do not answer. */
  'component',
  /** A service of the Compose project that is down, unhealthy or does not stay up. */
  'service',
  'disk',
  'clock',
  'tools',
  'rights',
  /** What a restore kept aside, long after its time. */
  'aside',
  /** Which site runs the system, and the guard that keeps it to one. */
  'site',
  /** The engine, its workers and schedules. */
  'engine',
  'schedule',
  /** The system file, or the register's entry for it, can't be used. */
  'system-file',
  /** A rehearsed restore that failed, missed its objective, or was not made in time. */
  'drill',
  /** A channel that messages do not get through to. */
  'notify',
] as const;
export type Check = (typeof CHECKS)[number];

export const SEVERITIES = ['critical', 'warning'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  readonly system: string;
  readonly check: Check;
  /** Which plan, store, host or component: a name of the system file, or a path. */
  readonly subject: string;
  readonly severity: Severity;
  /** One sentence with the numbers, for a person: `the newest backup is 3 h old, its limit is 1 h`. No secret. */
  readonly what: string;
  /** What to do next, with the command that does it. */
  readonly hint: string;
  /** Since when it is so, RFC 3339, where that is known: escalation counts from here. */
  readonly since?: string;
  /** Of a channel: it could not be reached, so that its answer to anything is the end of the trouble. */
  readonly unreachable?: boolean;
}

/** The same trouble has the same id however often it is found: `freshness/hourly`. Unique within a system. */
export function findingId({ check, subject }: Pick<Finding, 'check' | 'subject'>): string {
  return `${check}/${subject}`;
}

/** What could not be looked at: a finding's id, the check alone for all of its subjects, or the beginning of ids up to a slash. */
export interface Unknown {
  readonly what: string;
  readonly why: string;
}

/** Nothing is known of this trouble now: that it is not found is no news of its end. */
export function isUnknown(id: string, unknown: readonly Pick<Unknown, 'what'>[]): boolean {
  return unknown.some(({ what }) => id === what || id.startsWith(`${what}/`));
}

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1 };

/** Critical first, then by id: the order in which people are told. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) => RANK[a.severity] - RANK[b.severity] || findingId(a).localeCompare(findingId(b), 'en'),
  );
}
