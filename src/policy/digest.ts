/** What a person approves: the digest of a printed plan. */
import { createHash } from 'node:crypto';
import type { PlanAction } from '../workflows/contract.ts';
import type { PartSource } from '../workflows/whole-contract.ts';
import { canonicalJson } from './canonical.ts';

/** What is restored, from where, and what is done to what. No ages and sizes: they change while a person reads. */
export interface DigestedPlan {
  readonly system: string;
  readonly backup: string;
  readonly manifestKey: string;
  readonly store: string;
  readonly actions: readonly PlanAction[];
  /** Relative paths when only these are restored. */
  readonly paths?: readonly string[];
  readonly target?: string;
  /** Where recovery of a database cluster ends. */
  readonly recoverTo?: string;
  /** Of a whole system: where each component comes from. */
  readonly whole?: { readonly parts: readonly (PartSource & { readonly name: string })[] };
}

/**
 * SHA-256 (64 hex digits) over ids and actions. The order of the actions counts, the order of the names that one action
 * is on does not. More keys in the argument change nothing, so a whole plan may be given.
 */
export function planDigest(plan: DigestedPlan): string {
  const digested = {
    format: 1,
    system: plan.system,
    backup: plan.backup,
    manifestKey: plan.manifestKey,
    store: plan.store,
    actions: plan.actions.map(({ component, action, on }) => ({ component, action, on: on.toSorted() })),
    paths: (plan.paths ?? []).toSorted(),
    target: plan.target,
    recoverTo: plan.recoverTo,
    parts: plan.whole?.parts.map(({ name, backup, manifestKey, store, recoverTo }) => {
      return { name, backup, manifestKey, store, recoverTo };
    }),
  };
  return createHash('sha256').update(canonicalJson(digested)).digest('hex');
}
