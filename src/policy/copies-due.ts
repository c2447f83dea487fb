/** Which backups a store lacks that it should have. Pure: what copies, and what tells how far a store is behind, ask it. */
import type { Plan } from '../system/types.ts';
import { decideRetention, hasRule } from './retention.ts';
import { scheduleIntervalSeconds } from './schedule-interval.ts';

/** So many proved ones stay when the file says nothing; see src/policy/retention.ts. */
const PROVED = 1;

/** A trusted backup that no safety backup is, wherever it lies. */
export interface BackupSomewhere {
  readonly key: string;
  readonly plan: string;
  readonly tag?: string;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly signer: string;
  readonly sequence: number;
  /** In the store in question. */
  readonly there: boolean;
}

/**
 * Of all backups of the plan, those that this store lacks and its retention would keep, in the order given. What would
 * go as soon as it is old enough is not worth sending: a backup that a prune has removed there would come again and again.
 * So the floor of proved backups asks only for as many as the store lacks of it, because a prune fills it with whichever
 * are proved there. Empty for a store that is none of the plan's.
 */
export function copiesDue<B extends BackupSomewhere>(
  plan: Plan,
  store: string,
  backups: readonly B[],
  options: { readonly nowMs: number; readonly keepAsideSeconds: number },
): B[] {
  if (!plan.stores.includes(store)) return [];
  const own = backups.filter((one) => one.plan === plan.name);
  const lacking = own.filter(({ there }) => !there);
  const keep = plan.keepIn[store] ?? plan.keep;
  if (lacking.length === 0 || !hasRule(keep)) return lacking;
  const facts = own.map((one) => ({ ...one, purpose: 'backup' as const, storedAtMs: one.finishedAtMs, holds: [] }));
  const { schedule } = plan;
  const interval = schedule === undefined ? undefined : scheduleIntervalSeconds(schedule, options.nowMs);
  const { decisions } = decideRetention(facts, { ...keep, proved: 0 }, options.nowMs, {
    capturesHere: false,
    keepAsideSeconds: options.keepAsideSeconds,
    minimumAgeSeconds: 0,
    ...(schedule === undefined ? {} : { timeZone: schedule.timeZone }),
    ...(interval === undefined ? {} : { intervalSeconds: interval }),
  });
  const kept = new Set(decisions.filter((decision) => decision.keep).map(({ key }) => key));
  const due = new Set(lacking.filter(({ key }) => kept.has(key)));
  const others = lacking.filter((one) => !due.has(one)).toSorted((a, b) => b.startedAtMs - a.startedAtMs);
  const floor = Math.max(0, (keep.proved ?? PROVED) - (own.length - lacking.length) - due.size);
  for (const one of others.slice(0, floor)) due.add(one);
  return lacking.filter((one) => due.has(one));
}
