/** Whether a site could take a system over now: one verdict for each thing that it needs. Pure. */
import { formatSeconds } from '../../observe/format.ts';
import { whyNoRoom } from '../scratch-room.ts';
import type { Fencing } from './decide.ts';

export const VERDICTS = ['ok', 'warning', 'not-ready'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** The newest usable backup of the history in force, as far as it can be seen from here. */
export interface NewestSeen {
  readonly backup: string;
  readonly store: string;
  readonly pointAtMs: number;
}

/** What one host of the site says of itself. */
export interface HostReadiness {
  readonly host: string;
  /** Why it could not be asked; then nothing else is known of it. */
  readonly silent?: string;
  /** Credentials, the identity, tools, rights, the engine of containers: what does not work, in words. */
  readonly lacking: readonly string[];
  /** Room where its parts would be restored. */
  readonly room: readonly {
    readonly directory: string;
    readonly neededBytes: number;
    readonly freeBytes: number;
    readonly totalBytes: number;
  }[];
  /** Images of the stack that are neither here nor in the backup. */
  readonly imagesMissing: readonly string[];
  /** What could not be looked at, with why. */
  readonly unseen: readonly string[];
  /** Containers whose restart policy would start them without being asked. */
  readonly startByThemselves: readonly string[];
  /** Absent: a guard is not needed. */
  readonly guard?: { readonly running: boolean; readonly told: string };
}

export interface ReadinessFacts {
  readonly site: string;
  readonly nowMs: number;
  readonly fencing: Fencing;
  readonly rpoSeconds?: number;
  /** Under a lease: from the last renewal until the site before is known to be fenced. */
  readonly fenceWaitSeconds?: number;
  readonly generation:
    { readonly n: number; readonly site: string; readonly cleared: boolean } | { readonly unreadable: string } | 'none';
  readonly hosts: readonly HostReadiness[];
  /** In any store that answers. */
  readonly newest?: NewestSeen;
  /** In stores that do not lie at the active site: all that is left when that is lost. */
  readonly newestElsewhere?: NewestSeen;
  readonly storesUnread: readonly string[];
  /** Names of keys in which the system file of the active site differs from this one; undefined: not known, with why. */
  readonly drift: { readonly keys: readonly string[] } | { readonly unknown: string };
  /** Absent: no names are declared. */
  readonly dns?: readonly { readonly name: string; readonly why: string; readonly doubtful?: true }[];
  /** Absent: no rehearsal is declared. */
  readonly rehearsal?: { readonly everySeconds: number; readonly lastAtMs?: number; readonly lastOk?: boolean };
}

export interface ReadinessCheck {
  readonly check:
    | 'hosts'
    | 'generation'
    | 'credentials'
    | 'room'
    | 'images'
    | 'backups'
    | 'guard'
    | 'restart'
    | 'dns'
    | 'drift'
    | 'rehearsal';
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
}

export interface Readiness {
  readonly verdict: Verdict;
  readonly checks: readonly ReadinessCheck[];
}

/** The worst of all. What could not be looked at is a warning: it is no reason to trust, and none to despair. */
export function judgeReadiness(facts: ReadinessFacts): Readiness {
  const checks = [
    hosts(facts),
    generation(facts),
    ofHosts(facts, 'credentials', ({ lacking }) => lacking),
    ofHosts(facts, 'room', roomLacking),
    ofHosts(facts, 'images', ({ imagesMissing }) =>
      imagesMissing.map((image) => `${image} is neither here nor in the newest backup`),
    ),
    backups(facts),
    guard(facts),
    restartPolicies(facts),
    ...dns(facts),
    drift(facts),
    ...rehearsal(facts),
  ];
  return { verdict: worst(checks.map(({ verdict }) => verdict)), checks };
}

export function worst(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS.findLast((verdict) => verdicts.includes(verdict)) ?? 'ok';
}

/** The recovery point of a whole system: the oldest of what it can't be without; undefined where no part says its own. */
export function criticalPointMs(
  parts: readonly { readonly tier: string; readonly pointAt?: string }[],
): number | undefined {
  const critical = parts.filter(({ tier }) => tier === 'critical');
  const points = (critical.length === 0 ? parts : critical).flatMap(({ pointAt }) =>
    pointAt === undefined ? [] : [Date.parse(pointAt)],
  );
  return points.length === 0 ? undefined : Math.min(...points);
}

function check(
  name: ReadinessCheck['check'],
  bad: readonly string[],
  doubtful: readonly string[] = [],
): ReadinessCheck {
  const verdict = bad.length > 0 ? 'not-ready' : doubtful.length > 0 ? 'warning' : 'ok';
  return { check: name, verdict, reasons: [...bad, ...doubtful] };
}

function hosts({ hosts: all }: ReadinessFacts): ReadinessCheck {
  const silent = all.flatMap(({ host, silent: why }) => (why === undefined ? [] : [`${host} does not answer: ${why}`]));
  const unseen = all.flatMap(({ host, unseen: words }) => words.map((word) => `${host}: ${word}`));
  return check('hosts', all.length === 0 ? ['the system has no host here'] : silent, unseen);
}

function generation({ generation: found, site }: ReadinessFacts): ReadinessCheck {
  if (found === 'none') {
    return check('generation', ['the authority store holds no generation: the system was never put on a site']);
  }
  if ('unreadable' in found) return check('generation', [`the authority store can not be read: ${found.unreadable}`]);
  if (found.site === site) return check('generation', [], [`generation ${found.n} already belongs to this site`]);
  const unclear = found.cleared
    ? []
    : [`generation ${found.n} of ${found.site} is not cleared: a takeover is under way`];
  return check('generation', [], unclear);
}

function ofHosts(
  { hosts: all }: ReadinessFacts,
  name: ReadinessCheck['check'],
  lacking: (host: HostReadiness) => readonly string[],
): ReadinessCheck {
  const several = all.length > 1;
  return check(
    name,
    all.flatMap((one) => lacking(one).map((words) => (several ? `${one.host}: ${words}` : words))),
  );
}

function roomLacking({ room }: HostReadiness): string[] {
  return room.flatMap((disk) => whyNoRoom('the newest backup', disk.neededBytes, disk) ?? []);
}

function backups(facts: ReadinessFacts): ReadinessCheck {
  const { newest, newestElsewhere, storesUnread, nowMs, rpoSeconds } = facts;
  const unread = storesUnread.map((store) => `${store} could not be read: a newer backup may lie there`);
  if (newest === undefined) return check('backups', ['no backup that can be restored is reachable from here'], unread);
  if (newestElsewhere === undefined) {
    return check('backups', ['every backup lies at the active site: with it they are lost, too'], unread);
  }
  const ageSeconds = Math.max(0, Math.round((nowMs - newestElsewhere.pointAtMs) / 1000));
  const lagSeconds = Math.round((newest.pointAtMs - newestElsewhere.pointAtMs) / 1000);
  const words = `${newestElsewhere.backup} in ${newestElsewhere.store} is ${formatSeconds(ageSeconds)} old`;
  const late =
    rpoSeconds !== undefined && ageSeconds > rpoSeconds
      ? [`${words}: more than the ${formatSeconds(rpoSeconds)} that may be lost`]
      : [];
  const behind =
    lagSeconds > 0
      ? [
          `the stores away from the active site are ${formatSeconds(lagSeconds)} behind ${newest.backup} in ${newest.store}`,
        ]
      : [];
  return check('backups', late, [...behind, ...unread]);
}

function guard({ hosts: all, fencing }: ReadinessFacts): ReadinessCheck {
  if (fencing !== 'lease') return check('guard', []);
  return check(
    'guard',
    all.flatMap(({ host, silent, guard: found }) =>
      silent !== undefined || found?.running === true
        ? []
        : [`${host}: ${found?.told ?? 'no guard has run on this machine since it was started'}`],
    ),
  );
}

function restartPolicies({ hosts: all, fencing }: ReadinessFacts): ReadinessCheck {
  const found = all.flatMap(({ startByThemselves }) => startByThemselves);
  const words = found.map((name) => `${name} starts without being asked when its machine does`);
  return fencing === 'lease' ? check('restart', words) : check('restart', [], words);
}

function dns({ dns: names }: ReadinessFacts): ReadinessCheck[] {
  if (names === undefined) return [];
  const told = (some: typeof names): string[] => some.map(({ name, why }) => `${name}: ${why}`);
  const { bad = [], doubtful = [] } = Object.groupBy(names, (one) => (one.doubtful === true ? 'doubtful' : 'bad'));
  return [check('dns', told(bad), told(doubtful))];
}

function drift({ drift: found }: ReadinessFacts): ReadinessCheck {
  if ('unknown' in found) return check('drift', [], [`the other site's system file is not known: ${found.unknown}`]);
  return check(
    'drift',
    [],
    found.keys.map((key) => `${key} differs from the system file of the active site`),
  );
}

function rehearsal({ rehearsal: found, nowMs }: ReadinessFacts): ReadinessCheck[] {
  if (found === undefined) return [];
  const { everySeconds, lastAtMs, lastOk } = found;
  if (lastAtMs === undefined) return [check('rehearsal', [], ['it was never rehearsed'])];
  const ageSeconds = Math.round((nowMs - lastAtMs) / 1000);
  const failed = lastOk === false ? ['the last rehearsal failed'] : [];
  const old = ageSeconds > everySeconds * 1.5 ? [`the last rehearsal was ${formatSeconds(ageSeconds)} ago`] : [];
  return [check('rehearsal', failed, old)];
}
