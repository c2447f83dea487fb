/** Whether what the plans promise is there: the newest backup, the newest proved one. Pure. */
import { formatSeconds } from '../observe/format.ts';
import type { Plan, System } from '../system/types.ts';
import { counts, isGood, isProved, type BackupSeen } from './backup-seen.ts';
import type { Finding } from './findings.ts';
import { CLOCK_TOLERANCE_MS, freshness, type Freshness } from './freshness.ts';
import { begunMs, firstDue, type Begun, type FirstDue } from './first-backup.ts';
import { NOTHING, type Judged } from './judged.ts';
import { limitsOf, severityOf, tierOf } from './limits.ts';

export interface PlanState {
  readonly backups: number;
  readonly newest?: BackupSeen;
  readonly newestProved?: BackupSeen;
}

export interface StoresRead {
  /** Stores that could not be read. */
  readonly unread: readonly { readonly store: string }[];
}

/** Backups that count as something to restore from, newest recovery point first. */
export function usable(backups: readonly BackupSeen[], plan: string, nowMs: number): BackupSeen[] {
  return backups
    .filter((one) => one.plan === plan && counts(one) && one.trusted && isGood(one))
    .filter(({ pointAtMs }) => pointAtMs <= nowMs + CLOCK_TOLERANCE_MS)
    .toSorted((a, b) => b.pointAtMs - a.pointAtMs);
}

export function planState(backups: readonly BackupSeen[], plan: string, nowMs: number): PlanState {
  const own = usable(backups, plan, nowMs);
  const [newest] = own;
  const newestProved = own.find(isProved);
  return {
    backups: backups.filter((one) => one.plan === plan).length,
    ...(newest === undefined ? {} : { newest }),
    ...(newestProved === undefined ? {} : { newestProved }),
  };
}

/**
 * A plan that promises something and whose newest usable backup is older, or that has none. Where a store of the plan
 * could not be read a newer one may lie there: then bad news is unknown, and good news is good. A plan that has just begun
 * waits for its first due time.
 */
export function judgeFreshness(
  system: System,
  plan: Plan,
  backups: readonly BackupSeen[],
  { unread }: StoresRead,
  nowMs: number,
  begun: Begun = {},
): Judged {
  const { newestSeconds, newestFrom = '' } = limitsOf(plan, nowMs);
  const own = backups.filter((one) => one.plan === plan.name).map(factOf);
  const found = freshness(own, { rpoSeconds: newestSeconds }, nowMs);
  const promised = newestSeconds !== undefined || plan.rpoSeconds !== undefined;
  if (!promised || found.state === 'fresh' || found.state === 'unbounded') return NOTHING;
  const missed = storesMissed(plan, unread);
  if (missed !== undefined) return unknownOf(`freshness/${plan.name}`, `${missed}, and may hold a newer backup`);
  if (waitsForFirst(plan, backups, begun, nowMs) !== undefined) return NOTHING;
  const { ageSeconds = 0, newest } = found;
  const limit = newestSeconds ?? 0;
  const grave = found.state === 'missing' || ageSeconds > 2 * limit;
  const finding: Finding = {
    system: system.name,
    check: 'freshness',
    subject: plan.name,
    severity: severityOf(tierOf(system, plan), grave),
    what: whatOf(plan.name, found, limit, newestFrom),
    hint: hintOf(system.name, plan.name, found),
    ...(newest === undefined ? {} : { since: new Date(newest.pointAtMs + limit * 1000).toISOString() }),
  };
  return { findings: [finding], unknown: [] };
}

/** A plan that never had a backup, good or bad, and whose first one is yet to come. */
export function waitsForFirst(
  plan: Plan,
  backups: readonly BackupSeen[],
  begun: Begun,
  nowMs: number,
): FirstDue | undefined {
  const none = backups.every((one) => one.plan !== plan.name || !counts(one));
  return none ? firstDue(plan, begun, nowMs) : undefined;
}

function whatOf(plan: string, found: Freshness, limitSeconds: number, from: string): string {
  if (found.state === 'missing') return `plan ${plan}: ${found.why}`;
  const { newest, ageSeconds = 0 } = found;
  const limit = `${formatSeconds(limitSeconds)} (${from})`;
  return `plan ${plan}: the newest backup ${newest?.id ?? ''} is ${formatSeconds(ageSeconds)} old, its limit is ${limit}`;
}

function hintOf(system: string, plan: string, { state, why }: Freshness): string {
  if (state === 'missing' && why.includes('clocks')) return 'Set the clocks right (NTP), then look again.';
  if (state === 'missing' && /trusted|verification/.test(why)) {
    return `See why: holdfast list ${system} --plan ${plan}; then make a new one: holdfast backup ${system} ${plan}`;
  }
  return `Run it now, and see why it did not run: holdfast backup ${system} ${plan}; holdfast status ${system}`;
}

/** Judged only where the file says how old the newest proved backup may be. */
export function judgeProof(
  system: System,
  plan: Plan,
  backups: readonly BackupSeen[],
  { unread }: StoresRead,
  nowMs: number,
  begun: Begun = {},
): Judged {
  const { provedSeconds } = limitsOf(plan, nowMs);
  if (provedSeconds === undefined) return NOTHING;
  const { newestProved } = planState(backups, plan.name, nowMs);
  const ageSeconds = newestProved === undefined ? Infinity : ageOf(newestProved, nowMs);
  if (ageSeconds <= provedSeconds) return NOTHING;
  // What has begun since had no time for it yet.
  const sinceMs = begunMs(begun, nowMs);
  if (newestProved === undefined && sinceMs !== undefined && nowMs - sinceMs <= provedSeconds * 1000) return NOTHING;
  const missed = storesMissed(plan, unread);
  if (missed !== undefined) return unknownOf(`proof/${plan.name}`, `${missed}, and may hold a newer proof`);
  const limit = formatSeconds(provedSeconds);
  const what =
    newestProved === undefined
      ? `plan ${plan.name}: no backup was ever read back or restored; one of the last ${limit} should be`
      : `plan ${plan.name}: the newest proved backup ${newestProved.id} is ${formatSeconds(ageSeconds)} old, its limit is ${limit}`;
  const finding: Finding = {
    system: system.name,
    check: 'proof',
    subject: plan.name,
    severity: severityOf(tierOf(system, plan), false),
    what,
    hint: `Read the newest back on a host with the identity: holdfast verify ${system.name} --plan ${plan.name}`,
    ...(newestProved === undefined
      ? {}
      : { since: new Date(newestProved.pointAtMs + provedSeconds * 1000).toISOString() }),
  };
  return { findings: [finding], unknown: [] };
}

/** Undefined when every store of the plan could be read. */
function storesMissed({ stores }: Plan, unread: StoresRead['unread']): string | undefined {
  const missed = unread.filter(({ store }) => stores.includes(store)).map(({ store }) => store);
  return missed.length === 0 ? undefined : `${missed.join(', ')} could not be read`;
}

function unknownOf(what: string, why: string): Judged {
  return { findings: [], unknown: [{ what, why }] };
}

export function ageOf({ pointAtMs }: Pick<BackupSeen, 'pointAtMs'>, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - pointAtMs) / 1000));
}

export function factOf(one: BackupSeen) {
  const { id, pointAtMs, purpose, apart, trusted, verdicts } = one;
  const [verdict] = verdicts;
  return {
    id,
    pointAtMs,
    purpose,
    ...(apart === undefined ? {} : { apart }),
    trusted,
    ...(verdict === undefined ? {} : { verified: { level: verdict.level, ok: isGood(one) } }),
  };
}
