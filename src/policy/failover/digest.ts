/** What a person approves: the digest of a printed failover. */
import { createHash } from 'node:crypto';
import type { FailoverPlan } from '../../workflows/failover-contract.ts';
import { canonicalJson } from '../canonical.ts';
import { dnsDigestPart, type DnsPlan } from './dns-plan.ts';

export type DigestedTakeover = Pick<FailoverPlan, 'system' | 'site' | 'from' | 'nextGeneration' | 'fencing'>;

/** Of the plans that belong to it. */
export interface DigestedParts {
  readonly restore: string;
  readonly names?: DnsPlan;
}

/** SHA-256 (64 hex digits) over who takes over from whom, how it is fenced, and what is restored: never over ages. */
export function takeoverDigest(
  { system, site, from, nextGeneration, fencing }: DigestedTakeover,
  { restore, names }: DigestedParts,
): string {
  const named = names === undefined ? {} : { names: dnsDigestPart(names) };
  const digested = { format: 1, system, site, from, nextGeneration, fencing, restore, ...named };
  return createHash('sha256').update(canonicalJson(digested)).digest('hex');
}
