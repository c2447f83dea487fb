/** What of a component is old enough to go, and which backups count. What becomes of them is decided by what a store gives back. Pure. */

import type { Plan, RetentionConfig } from '../system/types.ts';

export interface OldEnough {
  readonly olderThanSeconds: number;
  /** So many of the newest stay, however old they are. */
  readonly keepAtLeast: number;
}

export interface Aged {
  readonly path: string;
  readonly mtimeMs: number;
}

/** Why something stays. */
export const KEPT_REASONS = [
  /** Changed too recently, or in the future. */
  'young',
  /** One of the newest that always stay. */
  'newest',
  /** It has several names, so that removing one frees nothing, or holds what is no plain file. */
  'special',
  /** No backup that was read back holds it. */
  'not-stored',
  /** What was read back is not what lies there. */
  'differs',
  /** A process has it open. */
  'in-use',
  /** It changed, or went, while its backup was read. */
  'changed',
] as const;
export type KeptReason = (typeof KEPT_REASONS)[number];

/** Candidates are the oldest first. What either rule keeps stays; the newest are counted among all. */
export function oldEnough<T extends Aged>(
  found: readonly T[],
  rule: OldEnough,
  nowMs: number,
): { readonly candidates: readonly T[]; readonly young: number; readonly newest: number } {
  const byAge = found.toSorted((a, b) => a.mtimeMs - b.mtimeMs || (a.path < b.path ? -1 : 1));
  const limitMs = nowMs - rule.olderThanSeconds * 1000;
  const old = byAge.filter(({ mtimeMs }) => mtimeMs < limitMs);
  const spare = Math.max(0, byAge.length - rule.keepAtLeast);
  const candidates = old.slice(0, spare);
  return { candidates, young: byAge.length - old.length, newest: old.length - candidates.length };
}

const DAY_SECONDS = 86_400;

/**
 * A file that is removed is in no later backup: where only the newest backups are kept, the next prune would remove it for
 * good. One of each day, week, month or year is only the newest, as one of `last` is.
 */
export function keepsForDays(keep: RetentionConfig | undefined): boolean {
  if (keep === undefined) return true;
  const { daily = 0, weekly = 0, monthly = 0, yearly = 0, withinSeconds = 0 } = keep;
  return Math.max(daily, weekly, monthly, yearly) >= 2 || withinSeconds >= DAY_SECONDS;
}

/** The plans whose backups of the component count in a store: those that keep it for longer than until the next ones. */
export function plansThatCount(plans: readonly Plan[], component: string, store: string): string[] {
  return plans
    .filter((plan) => plan.components.includes(component) && plan.stores.includes(store))
    .filter(({ keep, keepIn }) => keepsForDays(keepIn[store] ?? keep))
    .map(({ name }) => name);
}
