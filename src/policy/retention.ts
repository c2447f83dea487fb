/** Which backups of one plan in one store stay, and why. Pure; docs/decisions/retention.md gives the reasons. */
import type { RetentionConfig } from '../system/types.ts';
import { compare, spell, standings, type Standing } from './retention-evidence.ts';
import { SLOT_KINDS, slotsIn, type SlotKind } from './retention-slots.ts';
import type { RetentionDecision, RetentionFact, RetentionOptions, RetentionResult } from './retention-types.ts';

export type * from './retention-types.ts';

const PROVED = 1;
const NOUNS: Record<SlotKind, string> = {
  hourly: 'hours',
  daily: 'days',
  weekly: 'weeks',
  monthly: 'months',
  yearly: 'years',
};

/**
 * What a backup that any rule keeps stays for. `facts` are all backups of one plan in one store; tombstones are none.
 * Without `config`, or with one that has no rule but `proved`, everything stays. A slot (an hour, a day…) is kept by its
 * newest backup; only slots that have a backup are counted, so that nothing ages out because captures stopped. What is
 * untrusted, damaged, too young or of an impossible time is kept and takes no place. Safety backups are kept for
 * `keepAsideSeconds` and take no place either. The same facts in any order give the same answer, and asking again after
 * the deletion deletes nothing more.
 */
export function decideRetention(
  facts: readonly RetentionFact[],
  config: RetentionConfig | undefined,
  nowMs: number,
  options: RetentionOptions,
): RetentionResult {
  const sorted = facts.toSorted(newestFirst);
  const standing = standings(sorted, options, nowMs);
  const counted = sorted.filter((fact) => fact.purpose === 'backup' && standing.get(fact.key)?.counts === true);
  const kept = keptByRules(counted, config, nowMs, options);
  const decisions = sorted.map((fact) =>
    decide(fact, standing.get(fact.key), kept.get(fact.key) ?? [], config, nowMs, options),
  );
  const anomalies = sorted.flatMap((fact) => {
    const own = standing.get(fact.key);
    return own?.counts === false && own.anomaly ? [`${fact.key}: ${own.why}`] : [];
  });
  return { decisions, anomalies };
}

/** True when a rule says what may go; `proved` alone is a floor and says nothing of the rest. */
export function hasRule(config: RetentionConfig | undefined): config is RetentionConfig {
  return Object.keys(config ?? {}).some((rule) => rule !== 'proved');
}

function decide(
  fact: RetentionFact,
  standing: Standing | undefined,
  byRules: readonly string[],
  config: RetentionConfig | undefined,
  nowMs: number,
  options: RetentionOptions,
): RetentionDecision {
  const { key } = fact;
  const reasons = [...byRules, ...fact.holds.map((why) => `held: ${why}`)];
  const apart = standing?.counts === false ? { apart: standing.why } : {};
  if (standing?.counts !== true) reasons.push(standing?.why ?? 'nothing is known of it');
  if (fact.purpose === 'safety') {
    const age = (nowMs - Math.max(fact.storedAtMs, fact.finishedAtMs)) / 1000;
    if (age < options.keepAsideSeconds) reasons.push(`a safety backup is kept ${spell(options.keepAsideSeconds)}`);
  } else if (!hasRule(config)) reasons.push('no rule says what may go');
  if (reasons.length > 0) return { key, keep: true, reasons, ...apart };
  const why =
    fact.purpose === 'safety' ? `a safety backup older than ${spell(options.keepAsideSeconds)}` : 'no rule keeps it';
  return { key, keep: false, reasons: [why] };
}

/** The reasons by key. `counted` is newest first. */
function keptByRules(
  counted: readonly RetentionFact[],
  config: RetentionConfig | undefined,
  nowMs: number,
  options: RetentionOptions,
): Map<string, string[]> {
  const kept = new Map<string, string[]>();
  const keep = (fact: RetentionFact, reason: string): void => {
    kept.set(fact.key, [...(kept.get(fact.key) ?? []), reason]);
  };
  if (config === undefined) return kept;
  const { last = 0, withinSeconds, tags = [], proved = PROVED } = config;
  counted.slice(0, last).forEach((fact, index) => keep(fact, `one of the last ${last} (${index + 1})`));
  keepSlots(counted, config, options, keep);
  for (const fact of counted) {
    if (withinSeconds !== undefined && nowMs - fact.startedAtMs <= withinSeconds * 1000) {
      keep(fact, `within ${spell(withinSeconds)}`);
    }
    if (fact.tag !== undefined && tags.includes(fact.tag)) keep(fact, `tagged ${fact.tag}`);
  }
  keepProved(counted, proved, keep);
  return kept;
}

function keepSlots(
  counted: readonly RetentionFact[],
  config: RetentionConfig,
  options: RetentionOptions,
  keep: (fact: RetentionFact, reason: string) => void,
): void {
  const wanted = SLOT_KINDS.filter((kind) => config[kind] !== undefined);
  if (wanted.length === 0) return;
  const slotsOf = slotsIn(options.timeZone ?? 'UTC');
  const seen = new Map<SlotKind, Set<string>>(wanted.map((kind) => [kind, new Set()]));
  for (const fact of counted) {
    const slots = slotsOf(fact.startedAtMs);
    for (const [kind, own] of seen) {
      const limit = config[kind] ?? 0;
      if (own.has(slots[kind]) || own.size >= limit) continue;
      own.add(slots[kind]);
      keep(fact, `${kind}: the newest of ${slots[kind]} (${own.size} of ${limit} ${NOUNS[kind]})`);
    }
  }
}

/** A verdict by another key than the backup's own is worth more: whoever forges a backup can also praise it. */
function keepProved(
  counted: readonly RetentionFact[],
  proved: number,
  keep: (fact: RetentionFact, reason: string) => void,
): void {
  const ranked = counted.toSorted((a, b) => rank(a) - rank(b) || newestFirst(a, b));
  for (const fact of ranked.slice(0, proved)) {
    const what = fact.proof === undefined ? 'it stands for a proved one, of which there are too few' : 'proved';
    keep(fact, `${what}: at least ${proved} stay`);
  }
}

function rank({ proof }: RetentionFact): number {
  return proof === 'other-signer' ? 0 : proof === 'own-signer' ? 1 : 2;
}

function newestFirst(a: RetentionFact, b: RetentionFact): number {
  return b.startedAtMs - a.startedAtMs || compare(b.key, a.key);
}
