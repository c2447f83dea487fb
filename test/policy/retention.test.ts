/** Retention: what any rule keeps stays, and nothing that a stolen signing key can write makes an honest backup go. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideRetention, type RetentionFact, type RetentionOptions } from '../../src/policy/retention.ts';
import { bestProof } from '../../src/policy/retention-evidence.ts';
import { slotsIn } from '../../src/policy/retention-slots.ts';
import { scheduleIntervalSeconds } from '../../src/policy/schedule-interval.ts';
import type { RetentionConfig } from '../../src/system/types.ts';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-21T12:00:00Z');
const HERE: RetentionOptions = { capturesHere: true, keepAsideSeconds: 3 * 86_400, intervalSeconds: 3600 };

let serial = 0;
function fact(agoMs: number, options: Partial<RetentionFact> = {}): RetentionFact {
  serial += 1;
  const startedAtMs = options.startedAtMs ?? NOW - agoMs;
  return {
    key: `backups/p/${String(serial).padStart(6, '0')}`,
    plan: 'p',
    purpose: 'backup',
    startedAtMs,
    finishedAtMs: startedAtMs + 60_000,
    signer: 'host',
    sequence: serial,
    storedAtMs: startedAtMs + 61_000,
    holds: [],
    ...options,
  };
}

function kept(
  facts: readonly RetentionFact[],
  config: RetentionConfig | undefined,
  options = HERE,
  now = NOW,
): string[] {
  const { decisions } = decideRetention(facts, config, now, options);
  return decisions.flatMap(({ key, keep }) => (keep ? [key] : [])).toSorted();
}

const keysOf = (facts: readonly RetentionFact[]): string[] => facts.map(({ key }) => key).toSorted();

const some = fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined });
const rules = fc
  .record({
    last: some,
    hourly: some,
    daily: some,
    weekly: some,
    monthly: some,
    yearly: some,
    withinSeconds: fc.option(fc.integer({ min: 1, max: 90 * 86_400 }), { nil: undefined }),
    tags: fc.option(fc.constant(['release']), { nil: undefined }),
    proved: some,
  })
  .map(
    (given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as RetentionConfig,
  );
const realRules = rules.filter((config) => Object.keys(config).some((rule) => rule !== 'proved'));

/** Honest ones: what they claim is what the store's clock saw, and the numbers follow the times. */
const honest = fc
  .array(
    fc.record({
      agoHours: fc.integer({ min: 0, max: 24 * 500 }),
      tag: fc.constantFrom(undefined, 'release'),
      proof: fc.constantFrom(undefined, 'other-signer' as const, 'own-signer' as const),
      damaged: fc.constantFrom(false, false, false, true),
      held: fc.constantFrom(false, false, false, true),
      untrusted: fc.constantFrom(undefined, undefined, undefined, 'no such signer'),
      safety: fc.constantFrom(false, false, false, true),
    }),
    { maxLength: 40 },
  )
  .map((rows) =>
    rows
      .toSorted((a, b) => b.agoHours - a.agoHours)
      .map((row, index) =>
        fact(row.agoHours * HOUR, {
          key: `backups/p/honest-${index}`,
          sequence: index + 1,
          damaged: row.damaged,
          holds: row.held ? ['legal'] : [],
          purpose: row.safety ? 'safety' : 'backup',
          ...(row.tag === undefined ? {} : { tag: row.tag }),
          ...(row.proof === undefined ? {} : { proof: row.proof }),
          ...(row.untrusted === undefined ? {} : { untrusted: row.untrusted }),
        }),
      ),
  );
const options = fc.constantFrom<RetentionOptions>(
  HERE,
  { ...HERE, capturesHere: false },
  { ...HERE, timeZone: 'Europe/Berlin' },
);

it('what a fenced site went on making takes no place of the history in force, and is kept', () => {
  const ours = [fact(9 * DAY), fact(8 * DAY)];
  const theirs = [5, 4, 3].map((days) => fact(days * DAY, { apart: 'another site went on' }));
  expect(kept([...ours, ...theirs], { last: 1 })).toEqual(keysOf(ours.slice(1).concat(theirs)));
});

describe('retention, as properties', () => {
  it('any backups and rules: more rules never keep less, and what one rule keeps stays', () => {
    fc.assert(
      fc.property(honest, realRules, rules, options, (facts, some_, more, given) => {
        const both: RetentionConfig = { ...some_ };
        for (const [name, value] of Object.entries(more) as [keyof RetentionConfig, unknown][]) {
          const before = some_[name];
          const larger = typeof value === 'number' && typeof before === 'number' ? Math.max(value, before) : value;
          Object.assign(both, { [name]: larger });
        }
        const all = new Set(kept(facts, both, given));
        for (const key of kept(facts, some_, given)) expect(all).toContain(key);
      }),
    );
  });

  it('any backups in any order: the same answer, and after the deletion nothing more goes', () => {
    const shuffled = honest.chain((facts) =>
      fc.tuple(fc.constant(facts), fc.shuffledSubarray(facts, { minLength: facts.length })),
    );
    fc.assert(
      fc.property(shuffled, rules, options, ([facts, other], config, given) => {
        const left = kept(facts, config, given);
        expect(kept(other, config, given)).toEqual(left);
        expect(
          kept(
            facts.filter(({ key }) => left.includes(key)),
            config,
            given,
          ),
        ).toEqual(left);
      }),
    );
  });

  it('any rules: at least so many proved ones stay, and those that are held, untrusted, damaged or young', () => {
    fc.assert(
      fc.property(honest, realRules, options, (facts, config, given) => {
        const left = new Set(kept(facts, config, given));
        const sound = facts.filter((one) => one.purpose === 'backup' && one.untrusted === undefined && !one.damaged);
        const proved = sound.filter(({ proof }) => proof !== undefined);
        const wanted = Math.min(config.proved ?? 1, proved.length);
        expect(proved.filter(({ key }) => left.has(key)).length).toBeGreaterThanOrEqual(wanted);
        expect(sound.length === 0 || sound.some(({ key }) => left.has(key))).toBe(true);
        for (const one of facts) {
          const safe = one.holds.length > 0 || one.untrusted !== undefined || one.damaged === true;
          if (safe || NOW - one.storedAtMs < DAY) expect(left).toContain(one.key);
        }
      }),
    );
  });

  it('no rule at all: everything stays', () => {
    fc.assert(
      fc.property(honest, (facts) => {
        const own = facts.filter(({ purpose }) => purpose === 'backup');
        expect(kept(own, undefined)).toEqual(keysOf(own));
        expect(kept(own, { proved: 3 })).toEqual(keysOf(own));
      }),
    );
  });
});

/** What the holder of the capturing host's key can write since he has it: anything, but not before that time. */
function forged(
  maxAgeMs: number,
  claims: fc.Arbitrary<{ startedAtMs: number; tookMs: number }>,
): fc.Arbitrary<RetentionFact[]> {
  const one = fc.record({
    claim: claims,
    sequence: fc.integer({ min: 1, max: 200 }),
    storedAgoMs: fc.integer({ min: 0, max: maxAgeMs }),
    tag: fc.constantFrom(undefined, 'release'),
    recorded: fc.boolean(),
    praised: fc.boolean(),
  });
  return fc.array(one, { maxLength: 60 }).map((rows) =>
    rows.map(({ claim, sequence, storedAgoMs, tag, recorded, praised }, index) =>
      fact(0, {
        key: `backups/p/zz-forged-${index}`,
        sequence,
        startedAtMs: claim.startedAtMs,
        finishedAtMs: claim.startedAtMs + claim.tookMs,
        storedAtMs: NOW - storedAgoMs,
        ...(recorded ? { recordedAtMs: NOW - storedAgoMs } : {}),
        ...(praised ? { proof: 'own-signer' as const } : {}),
        ...(tag === undefined ? {} : { tag }),
      }),
    ),
  );
}

describe('retention and a stolen signing key', () => {
  const anyTime = fc.record({
    startedAtMs: fc.integer({ min: NOW - 600 * DAY, max: NOW + 600 * DAY }),
    tookMs: fc.integer({ min: 0, max: 600 * DAY }),
  });

  function losesNothing(
    facts: readonly RetentionFact[],
    lies: readonly RetentionFact[],
    config: RetentionConfig,
    given: RetentionOptions,
  ): void {
    const left = new Set(kept([...facts, ...lies], config, given));
    for (const key of kept(facts, config, given)) expect(left).toContain(key);
  }

  it('any number of backups forged at any time within the minimum age: no honest one goes that would have stayed [B9]', () => {
    fc.assert(
      fc.property(honest, forged(DAY - 1, anyTime), realRules, options, (facts, lies, config, given) => {
        losesNothing(facts, lies, config, given);
      }),
    );
  });

  it('old-dated and future-dated backups of any age: they never take a place [B9]', () => {
    const farOff = anyTime.filter(({ startedAtMs, tookMs }) => {
      const endMs = startedAtMs + tookMs;
      return endMs < NOW - 32 * DAY || endMs > NOW + 2 * HOUR;
    });
    fc.assert(
      fc.property(honest, forged(30 * DAY, farOff), realRules, (facts, lies, config) => {
        losesNothing(facts, lies, config, HERE);
      }),
    );
  });

  it('a store of copies: forged ones that follow the chain and claim the past stand against its order', () => {
    fc.assert(
      fc.property(honest, forged(30 * DAY, anyTime), realRules, (facts, lies, config) => {
        const newestMs = Math.max(
          0,
          ...facts.filter((one) => one.untrusted === undefined && !one.damaged).map((one) => one.finishedAtMs),
        );
        const past = lies
          .filter((one) => one.finishedAtMs < newestMs - 2 * HOUR)
          .map((one, index) => ({ ...one, sequence: 1000 + index }));
        losesNothing(facts, past, config, { ...HERE, capturesHere: false });
      }),
    );
  });

  it('a flood within one interval: it waits for a week, and is told', () => {
    const facts = Array.from({ length: 10 }, (_, index) => fact((index + 8) * DAY));
    const lies = Array.from({ length: 30 }, (_, index) => fact(2 * DAY + HOUR / 2 + index * 1000));
    const config = { last: 5 };
    const { decisions, anomalies } = decideRetention([...facts, ...lies], config, NOW, HERE);
    const left = new Set(decisions.filter(({ keep }) => keep).map(({ key }) => key));
    for (const key of kept(facts, config)) expect(left).toContain(key);
    expect(anomalies).toHaveLength(30);
    expect(anomalies[0]).toContain('more backups of that time than its schedule explains');
  });
});

describe('retention, by example', () => {
  it('the slots of a day when the clock is set back: the hour that comes twice is two', () => {
    const slots = slotsIn('Europe/Berlin');
    const first = slots(Date.parse('2026-10-25T00:30:00Z'));
    const second = slots(Date.parse('2026-10-25T01:30:00Z'));
    expect([first.daily, second.daily]).toEqual(['2026-10-25', '2026-10-25']);
    expect(first.hourly).not.toBe(second.hourly);
    expect(slots(Date.parse('2026-10-24T22:30:00Z')).daily).toBe('2026-10-25');
    expect(slots(Date.parse('2026-03-28T23:30:00Z')).daily).toBe('2026-03-29');
    expect(slots(Date.parse('2026-03-29T22:30:00Z')).daily).toBe('2026-03-30');
  });

  it('weeks are those of ISO 8601: the last days of a year may belong to the next', () => {
    const slots = slotsIn('UTC');
    const week = (date: string): string => slots(Date.parse(`${date}T12:00:00Z`)).weekly;
    expect(week('2026-11-21')).toBe('2026-W47');
    expect(week('2024-12-30')).toBe('2025-W01');
    expect(week('2021-01-03')).toBe('2020-W53');
    expect(week('2027-01-01')).toBe('2026-W53');
  });

  it('daily 3 in a zone far from UTC: the newest of each local day stays, with the reason', () => {
    const at = (text: string): RetentionFact => fact(0, { startedAtMs: Date.parse(text) });
    // In Auckland (UTC+13) the day changes at 11:00 UTC.
    const facts = [
      at('2026-11-15T10:00:00Z'),
      at('2026-11-15T12:00:00Z'),
      at('2026-11-16T10:00:00Z'),
      at('2026-11-17T10:00:00Z'),
    ];
    const config = { daily: 3, proved: 1 };
    expect(kept(facts, config, { ...HERE, timeZone: 'Pacific/Auckland' })).toEqual(
      keysOf([facts[0], facts[2], facts[3]].filter((one) => one !== undefined)),
    );
    const { decisions } = decideRetention(facts, config, NOW, { ...HERE, timeZone: 'Pacific/Auckland' });
    expect(decisions[0]?.reasons[0]).toBe('daily: the newest of 2026-11-17 (1 of 3 days)');
    expect(decisions.find(({ keep }) => !keep)?.reasons).toEqual(['no rule keeps it']);
  });

  it('captures stopped half a year ago: the slots that have a backup stay', () => {
    const facts = Array.from({ length: 10 }, (_, index) => fact(180 * DAY + index * DAY));
    expect(kept(facts, { daily: 7 })).toHaveLength(7);
  });

  it('safety backups: kept aside for their time, and never in the place of another', () => {
    const old = fact(9 * DAY, { purpose: 'safety' });
    const young = fact(2 * DAY, { purpose: 'safety' });
    const own = fact(30 * DAY);
    expect(kept([old, young, own], { last: 1 })).toEqual(keysOf([young, own]));
  });

  it('a proof by another key outranks one by the key of the backup itself', () => {
    const facts = [
      fact(5 * DAY, { proof: 'own-signer' }),
      fact(20 * DAY, { proof: 'other-signer' }),
      fact(30 * DAY, { proof: 'other-signer' }),
    ];
    const { decisions } = decideRetention(facts, { withinSeconds: 1, proved: 1 }, NOW, HERE);
    expect(decisions.filter(({ keep }) => keep).map(({ key }) => key)).toEqual([facts[1]?.key]);
  });

  it('a drill that restored it proves a backup as a reading does; presence, and one that failed, prove nothing', () => {
    const verdict = (level: 'presence' | 'content' | 'restored', signer = 'host', ok = true) => ({ level, signer, ok });
    expect(bestProof([verdict('restored')], 'host')).toBe('own-signer');
    expect(bestProof([verdict('content'), verdict('restored', 'other-host')], 'host')).toBe('other-signer');
    expect(bestProof([verdict('presence', 'other-host'), verdict('restored', 'other-host', false)], 'host')).toBe(
      undefined,
    );
  });

  it('a schedule: the shortest time between its runs', () => {
    expect(scheduleIntervalSeconds({ cron: '0 3 * * *', timeZone: 'UTC' }, NOW)).toBe(86_400);
    expect(scheduleIntervalSeconds({ cron: '0,15 * * * *', timeZone: 'Europe/Berlin' }, NOW)).toBe(900);
  });
});
