/**
 * Whether a site may take a system over, of which backup, and whether a person has to approve it. It refuses when facts
 * are missing, and always gives its reasons. Pure.
 */
import type { Assessment } from './assess.ts';
import type { Generation } from './lease.ts';
import { lineageOf, whyApart, type GenerationOrigin } from './lineage.ts';

/** A backup as the site that takes over can reach it. */
export interface CopyHere {
  readonly backup: string;
  readonly store: string;
  readonly generation: number;
  readonly pointAtMs: number;
  /** Why it can't be restored, as far as is known before it is tried. */
  readonly unusable?: string;
  /** The highest level to which it was proved. */
  readonly proved?: 'presence' | 'content' | 'restored';
}

/** How the site before is known not to run any more. */
export type Fencing = 'lease' | 'confirmed' | 'attested';

export interface FailoverFacts {
  readonly site: string;
  readonly nowMs: number;
  readonly assessment: Assessment;
  /** `unreadable`: the authority store did not answer, so that nobody knows who is active. */
  readonly generation: Generation | 'unreadable' | undefined;
  readonly generations: readonly GenerationOrigin[];
  readonly fencing: Fencing;
  readonly copies: readonly CopyHere[];
  /** Stores that could not be read: a newer backup may lie there. */
  readonly storesUnread: readonly string[];
  /** What a look at this site found missing: images, room, credentials. */
  readonly notReady: readonly string[];
}

export interface FailoverRule {
  readonly rpoMs?: number;
  /** Without it a person always approves. */
  readonly automatic?: { readonly downForMs: number };
  /** For a planned change the site before is expected to answer. */
  readonly planned: boolean;
  readonly downForMs: number;
}

export interface FailoverGo {
  readonly kind: 'go';
  readonly approval: 'person' | 'automatic';
  readonly copy: CopyHere;
  readonly passedOver: readonly { readonly copy: CopyHere; readonly why: string }[];
  /** What was written since is lost: by this site's clock, an estimate where the two differ. */
  readonly dataLossMs: number;
  readonly meetsRpo: boolean | undefined;
  readonly nextGeneration: number;
  readonly reasons: readonly string[];
}
export type FailoverDecision = FailoverGo | { readonly kind: 'refuse'; readonly reasons: readonly string[] };

export function decideFailover(facts: FailoverFacts, rule: FailoverRule): FailoverDecision {
  const { copy, passedOver } = chooseCopy(facts);
  const refusals = [...refusalsOf(facts, rule), ...(copy === undefined ? [noCopy(facts, passedOver)] : [])];
  const { generation } = facts;
  if (refusals.length > 0 || copy === undefined || generation === undefined || generation === 'unreadable') {
    return { kind: 'refuse', reasons: refusals };
  }
  const dataLossMs = Math.max(0, facts.nowMs - copy.pointAtMs);
  const meetsRpo = rule.rpoMs === undefined ? undefined : dataLossMs <= rule.rpoMs;
  const approval = whyAPerson(facts, rule, meetsRpo);
  return {
    kind: 'go',
    approval: approval === undefined ? 'automatic' : 'person',
    copy,
    passedOver,
    dataLossMs,
    meetsRpo,
    nextGeneration: generation.n + 1,
    reasons: [...facts.assessment.reasons, ...(approval === undefined ? [] : [approval])],
  };
}

/**
 * The newest that belongs to the history in force and is not known to be unusable. What a later generation of that history
 * has made is newer, whatever the clocks of the sites say: within one generation they are one site's.
 */
export function chooseCopy(
  facts: Pick<FailoverFacts, 'generation' | 'generations' | 'copies'>,
): Pick<FailoverGo, 'passedOver'> & { readonly copy: CopyHere | undefined } {
  const { generation, generations, copies } = facts;
  const n = generation === undefined || generation === 'unreadable' ? 0 : generation.n;
  const lineage = lineageOf(n, generations);
  const judged = copies.toSorted(byPoint).map((copy) => ({ copy, why: whyApart(copy, lineage) ?? copy.unusable }));
  const copy = judged
    .flatMap((one) => (one.why === undefined ? [one.copy] : []))
    .toSorted((one, other) => other.generation - one.generation || byPoint(one, other))
    .at(0);
  const passedOver = judged.flatMap(({ copy: one, why }) =>
    why !== undefined && (copy === undefined || isNewer(one, copy)) ? [{ copy: one, why }] : [],
  );
  return { copy, passedOver };
}

function byPoint(one: CopyHere, other: CopyHere): number {
  return other.pointAtMs - one.pointAtMs;
}

/** By either measure: a person who reads why a copy was passed over may compare its time. */
function isNewer(one: CopyHere, other: CopyHere): boolean {
  return one.generation > other.generation || one.pointAtMs > other.pointAtMs;
}

function refusalsOf(
  { generation, site, assessment, storesUnread, notReady }: FailoverFacts,
  rule: FailoverRule,
): string[] {
  const refusals: string[] = [];
  if (generation === 'unreadable')
    refusals.push('the authority store does not answer: nobody knows which site is active');
  else if (generation === undefined)
    refusals.push('the authority store holds no generation: the system was never put on a site');
  else if (generation.site === site) refusals.push(`generation ${generation.n} already belongs to this site`);
  if (!rule.planned && assessment.state === 'up') refusals.push(...assessment.reasons);
  if (!rule.planned && assessment.state === 'unknown') {
    refusals.push(`nobody can say that the site is down: ${assessment.reasons.join('; ')}`);
  }
  if (rule.planned && assessment.state !== 'up') {
    refusals.push('a planned change needs the active site, for its last backup; use a failover if it is lost');
  }
  if (rule.planned && storesUnread.length > 0) refusals.push(`could not be read: ${storesUnread.join(', ')}`);
  return [...refusals, ...notReady.map((what) => `this site is not ready: ${what}`)];
}

function noCopy({ storesUnread }: FailoverFacts, passedOver: FailoverGo['passedOver']): string {
  const unread = storesUnread.length === 0 ? '' : `; could not be read: ${storesUnread.join(', ')}`;
  const passed = passedOver.map(({ copy, why }) => `; ${copy.backup} in ${copy.store}: ${why}`).join('');
  return `no backup that this site can reach can be restored${unread}${passed}`;
}

/** Why a person has to approve, or undefined when the declared rule lets it go on by itself. */
function whyAPerson(facts: FailoverFacts, rule: FailoverRule, meetsRpo: boolean | undefined): string | undefined {
  const { automatic } = rule;
  if (automatic === undefined || rule.planned) return 'the system file asks for a person';
  if (facts.fencing !== 'lease') return `only a lease fences without a person, and this system says ${facts.fencing}`;
  if (rule.downForMs < automatic.downForMs) return 'the site has not been down for as long as was declared';
  if (meetsRpo === false) return 'more would be lost than the RPO allows';
  if (facts.storesUnread.length > 0) return `a newer backup may lie in ${facts.storesUnread.join(', ')}`;
  return undefined;
}
