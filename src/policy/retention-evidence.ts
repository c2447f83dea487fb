/**
 * Which backups may take a place in a rule. Whoever holds a capturing host's key can sign any number of manifests with any
 * time in them; what he cannot choose is when they came into the store. See docs/decisions/retention.md.
 */
import type { RetentionFact, RetentionOptions } from './retention-types.ts';

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** Clocks of hosts and stores may differ by so much. */
const CLOCK_MS = HOUR_MS;
/** A capture may wait so long, between its start and the store's taking its record. */
const BEGIN_MS = DAY_MS;
/** Of a capture whose record is gone. */
const LONGEST_CAPTURE_MS = 7 * DAY_MS;
/** More than this in one interval of the schedule (or in an hour, without one) is not explained by it. */
const EXPLAINED_IN_INTERVAL = 4;
const MINIMUM_AGE_SECONDS = 24 * 3600;
const SURPLUS_AGE_SECONDS = 7 * 24 * 3600;
const WITHOUT_SCHEDULE_SECONDS = 3600;

/** Counts: it may take a place, and may be deleted. Otherwise it is kept and takes none. */
export type Standing =
  { readonly counts: true } | { readonly counts: false; readonly why: string; readonly anomaly: boolean };

/** More evidence only ever sets more backups apart, so that nothing forged can make another one count less. */
export function standings(
  facts: readonly RetentionFact[],
  options: RetentionOptions,
  nowMs: number,
): Map<string, Standing> {
  const found = new Map<string, Standing>();
  const honest: RetentionFact[] = [];
  for (const fact of facts) {
    const why = contradiction(fact, options, nowMs);
    if (fact.untrusted !== undefined) found.set(fact.key, apart(`it is not trusted: ${fact.untrusted}`));
    else if (fact.apart !== undefined) found.set(fact.key, apart(fact.apart));
    else if (why !== undefined) found.set(fact.key, apart(why));
    else if (fact.damaged === true) found.set(fact.key, apart('its newest verdict found damage'));
    else honest.push(fact);
  }
  const allHere = options.capturesHere && !honest.some(({ copied }) => copied === true);
  const outOfOrder = allHere ? new Set<string>() : againstTheChain(honest);
  const crowded = crowdedIntervals(honest, options);
  for (const fact of honest) found.set(fact.key, standingOf(fact, { outOfOrder, crowded }, options, nowMs));
  return found;
}

function standingOf(
  fact: RetentionFact,
  marks: { readonly outOfOrder: ReadonlySet<string>; readonly crowded: ReadonlyMap<string, number> },
  options: RetentionOptions,
  nowMs: number,
): Standing {
  if (marks.outOfOrder.has(fact.key)) return apart("its time is out of the order of its signer's manifests");
  const { minimumAgeSeconds = MINIMUM_AGE_SECONDS } = options;
  const { surplusAgeSeconds = Math.max(SURPLUS_AGE_SECONDS, minimumAgeSeconds) } = options;
  const ageSeconds = (nowMs - fact.storedAtMs) / 1000;
  if (ageSeconds < minimumAgeSeconds) {
    return { counts: false, why: `it came into the store less than ${spell(minimumAgeSeconds)} ago`, anomaly: false };
  }
  const newestMs = marks.crowded.get(bucketOf(fact, options));
  if (newestMs !== undefined && (nowMs - newestMs) / 1000 < surplusAgeSeconds) {
    const why = `its plan has more backups of that time than its schedule explains; they wait ${spell(surplusAgeSeconds)}`;
    return { counts: false, why, anomaly: true };
  }
  return { counts: true };
}

/**
 * What verdicts on a backup count for. A drill that restored it whole counts like a reading of its content; presence
 * proves that objects are there, not that anything can be restored from them. `signer`: of the backup.
 */
export function bestProof(
  verdicts: readonly {
    readonly ok: boolean;
    readonly level: 'presence' | 'content' | 'restored';
    readonly signer: string;
  }[],
  signer: string,
): RetentionFact['proof'] {
  const good = verdicts.filter(({ ok, level }) => ok && level !== 'presence');
  if (good.some((verdict) => verdict.signer !== signer)) return 'other-signer';
  return good.length > 0 ? 'own-signer' : undefined;
}

/** What the store's clock says against what the signer claims. */
function contradiction(fact: RetentionFact, options: RetentionOptions, nowMs: number): string | undefined {
  const { startedAtMs, finishedAtMs, storedAtMs, recordedAtMs } = fact;
  if (!Number.isFinite(startedAtMs) || !Number.isFinite(finishedAtMs)) return 'it claims no time';
  if (startedAtMs > finishedAtMs + CLOCK_MS) return 'it claims to have ended before it began';
  if (finishedAtMs > storedAtMs + CLOCK_MS || finishedAtMs > nowMs + CLOCK_MS) {
    return `it claims to be of ${iso(finishedAtMs)} and came into the store at ${iso(storedAtMs)}, before that`;
  }
  if (!options.capturesHere || fact.copied === true) return undefined;
  if (finishedAtMs < storedAtMs - CLOCK_MS) {
    return `it claims to have ended at ${iso(finishedAtMs)} and came into the store at ${iso(storedAtMs)}`;
  }
  if (recordedAtMs !== undefined && startedAtMs < recordedAtMs - BEGIN_MS) {
    return `it claims to have begun at ${iso(startedAtMs)}, and its capture was recorded at ${iso(recordedAtMs)}`;
  }
  if (recordedAtMs === undefined && finishedAtMs - startedAtMs > LONGEST_CAPTURE_MS) {
    return `it claims to have taken from ${iso(startedAtMs)} to ${iso(finishedAtMs)}`;
  }
  return undefined;
}

/**
 * Copies come late, so the store's clock says little; but a signer numbers its manifests when it ends them. Both of a
 * pair that contradict each other are named: which of them lies, the pair does not tell.
 */
function againstTheChain(facts: readonly RetentionFact[]): Set<string> {
  const named = new Set<string>();
  for (const chain of Map.groupBy(facts, ({ signer }) => signer).values()) {
    chain.sort((a, b) => a.sequence - b.sequence || compare(a.key, b.key));
    nameTwins(chain, named);
    nameLater(chain, named);
    nameEarlier(chain, named);
  }
  return named;
}

function nameTwins(chain: readonly RetentionFact[], named: Set<string>): void {
  chain.forEach((fact, index) => {
    const before = chain[index - 1];
    if (before?.sequence !== fact.sequence) return;
    named.add(before.key);
    named.add(fact.key);
  });
}

/** Those that claim an earlier time than one with a smaller number. */
function nameLater(chain: readonly RetentionFact[], named: Set<string>): void {
  let newestMs = -Infinity;
  for (const fact of chain) {
    if (fact.finishedAtMs < newestMs - CLOCK_MS) named.add(fact.key);
    newestMs = Math.max(newestMs, fact.finishedAtMs);
  }
}

/** Those that claim a later time than one with a larger number. */
function nameEarlier(chain: readonly RetentionFact[], named: Set<string>): void {
  let oldestMs = Infinity;
  for (const fact of chain.toReversed()) {
    if (fact.finishedAtMs > oldestMs + CLOCK_MS) named.add(fact.key);
    oldestMs = Math.min(oldestMs, fact.finishedAtMs);
  }
}

/** By interval, when its newest came into the store: all of it waits for that one, so that it is judged as a whole. */
function crowdedIntervals(facts: readonly RetentionFact[], options: RetentionOptions): Map<string, number> {
  const own = facts.filter(({ purpose }) => purpose === 'backup');
  const buckets = [...Map.groupBy(own, (fact) => bucketOf(fact, options))];
  const crowded = buckets.filter(([, inside]) => inside.length > EXPLAINED_IN_INTERVAL);
  return new Map(
    crowded.map(([bucket, inside]) => [bucket, inside.reduce((newest, one) => Math.max(newest, one.storedAtMs), 0)]),
  );
}

function bucketOf(fact: RetentionFact, { intervalSeconds = WITHOUT_SCHEDULE_SECONDS }: RetentionOptions): string {
  return String(Math.floor(fact.startedAtMs / (intervalSeconds * 1000)));
}

function apart(why: string): Standing {
  return { counts: false, why, anomaly: true };
}

/** `24 h`, `7 d`. */
export function spell(seconds: number): string {
  if (seconds % 86_400 === 0 && seconds > 86_400) return `${seconds / 86_400} d`;
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

function iso(atMs: number): string {
  return Number.isFinite(atMs) ? new Date(Math.min(Math.max(atMs, -8.64e15), 8.64e15)).toISOString() : 'no time';
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
