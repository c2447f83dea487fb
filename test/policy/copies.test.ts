import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countCopies, errorsOfCopy, judgeCopies, shortfalls, type CopyPlace } from '../../src/policy/copies.ts';
import { copiesDue, type BackupSomewhere } from '../../src/policy/copies-due.ts';
import { decideRetention } from '../../src/policy/retention.ts';
import type { CopyRule, Plan } from '../../src/system/types.ts';

const SITE = 'home';
const RULE: CopyRule = { copies: 3, media: 2, offsite: 1, immutable: 1, errors: 0 };
const DAY_MS = 86_400_000;
const NOW = Date.parse('2026-11-21T12:00:00Z');

const place = fc.record({
  store: fc.uuid(),
  place: fc.constantFrom(SITE, 'frankfurt', 'oregon'),
  medium: fc.constantFrom('disk', 'object storage', 'tape'),
  immutable: fc.boolean(),
});
const places = fc.uniqueArray(place, { maxLength: 6, selector: ({ store }) => store });
const rule = fc.record({
  copies: fc.nat(6),
  media: fc.nat(4),
  offsite: fc.nat(4),
  immutable: fc.nat(4),
  errors: fc.nat(3),
});

function verified(stores: readonly CopyPlace[], errors = 0): ReadonlyMap<string, number> {
  return new Map(stores.map(({ store }, index) => [store, index === 0 ? errors : 0]));
}

describe('3-2-1-1-0', () => {
  test('[G1] the live data, a disk here and a locked bucket away meet it; without any one of them it names what is short', () => {
    const nas = { store: 'nas', place: SITE, medium: 'disk', immutable: false };
    const away = { store: 's3', place: 'frankfurt', medium: 'object storage', immutable: true };
    const good = judgeCopies(RULE, countCopies(SITE, [nas, away], verified([nas, away])));
    expect(good).toMatchObject({ ok: true, short: [], copies: 3, offsite: 1, immutable: 1, errors: 0 });
    const one = judgeCopies(RULE, countCopies(SITE, [nas], verified([nas])));
    expect(one.short).toEqual([
      '2 of 3 copies (the live data counted)',
      '1 of 2 kinds of media (disk)',
      '0 of 1 copies in another place',
      '0 of 1 immutable copies',
    ]);
    expect(judgeCopies(RULE, countCopies(SITE, [nas, away], verified([nas, away], 2))).short).toEqual([
      'errors found: 2, at most 0',
    ]);
    expect(judgeCopies(RULE, countCopies(SITE, [nas, away], verified([nas]))).short).toEqual([
      'not every copy was verified',
    ]);
  });

  test('[G1] what reading a store back found is an error of its copies: the newest look has the last word', () => {
    const verdict = { atMs: NOW, errors: 3 };
    const of = (readBack: { errors: number; completeSinceMs?: number } | undefined, own?: typeof verdict) =>
      errorsOfCopy({
        finishedAtMs: NOW - DAY_MS,
        ...(own === undefined ? {} : { verdict: own }),
        ...(readBack === undefined ? {} : { readBack }),
      });
    expect(of(undefined)).toBeUndefined();
    expect(of(undefined, verdict)).toBe(3);
    // Read back in part, or before the backup came: that nothing was found says nothing of it.
    expect(of({ errors: 0 })).toBeUndefined();
    expect(of({ errors: 0, completeSinceMs: NOW - 2 * DAY_MS })).toBeUndefined();
    expect(of({ errors: 2 })).toBe(2);
    expect(of({ errors: 0, completeSinceMs: NOW - DAY_MS / 2 })).toBe(0);
    expect(of({ errors: 7 }, verdict)).toBe(7);
    // Healed, and all of it read back since the verdict.
    expect(of({ errors: 0, completeSinceMs: NOW + 1 }, verdict)).toBe(0);
    expect(of({ errors: 1, completeSinceMs: NOW + 1 }, verdict)).toBe(1);
  });

  test('[G1] any look at a store that finds more: never fewer errors, and never a rule met that was not', () => {
    const knowledge = fc.record(
      {
        finishedAtMs: fc.integer({ min: 0, max: 10 }),
        verdict: fc.record({ atMs: fc.integer({ min: 0, max: 20 }), errors: fc.nat(3) }),
        readBack: fc.record(
          { errors: fc.nat(3), completeSinceMs: fc.integer({ min: 0, max: 20 }) },
          { requiredKeys: ['errors'] },
        ),
      },
      { requiredKeys: ['finishedAtMs', 'readBack'] },
    );
    fc.assert(
      fc.property(knowledge, fc.integer({ min: 1, max: 5 }), (known, more) => {
        const worse = { ...known, readBack: { ...known.readBack, errors: known.readBack.errors + more } };
        const [before, after] = [errorsOfCopy(known), errorsOfCopy(worse)];
        expect(after).toBeGreaterThanOrEqual(before ?? 1);
        const nas = { store: 'nas', place: SITE, medium: 'disk', immutable: false };
        const asked = { copies: 1, media: 1, offsite: 0, immutable: 0, errors: 0 };
        expect(judgeCopies(asked, countCopies(SITE, [nas], new Map([['nas', after ?? 0]]))).ok).toBe(false);
      }),
    );
  });

  test('[G1] any stores and any rule: one more copy never makes it worse, and the verdict is met exactly when every number is', () => {
    fc.assert(
      fc.property(places, place, rule, (stores, more, asked) => {
        const before = countCopies(SITE, stores, verified(stores));
        const after = countCopies(SITE, [...stores, more], verified([...stores, more]));
        const { ok } = judgeCopies(asked, before);
        if (ok) expect(judgeCopies(asked, after).ok).toBe(true);
        expect(ok).toBe(
          before.copies >= asked.copies &&
            before.media.length >= asked.media &&
            before.offsite >= asked.offsite &&
            before.immutable >= asked.immutable,
        );
        expect(before.copies).toBe(stores.length + 1);
        // What a file could never meet is not met by what lies there either.
        if (shortfalls(asked, before).length > 0) expect(ok).toBe(false);
      }),
    );
  });

  test('any order of the stores: the same verdict', () => {
    fc.assert(
      fc.property(places, rule, (stores, asked) => {
        const counts = countCopies(SITE, stores, verified(stores));
        const other = countCopies(SITE, stores.toReversed(), verified(stores));
        expect(judgeCopies(asked, other).ok).toBe(judgeCopies(asked, counts).ok);
      }),
    );
  });
});

describe('what a store lacks', () => {
  const plan = (keep: Plan['keep'], keepIn: Plan['keepIn'] = {}): Plan => ({
    name: 'daily',
    components: ['data'],
    onChange: false,
    stores: ['disk', 'archive'],
    ...(keep === undefined ? {} : { keep }),
    keepIn,
    verify: 'presence',
  });
  const backup = (daysAgo: number, there = false, of = 'daily'): BackupSomewhere => ({
    key: `backups/${of}/${daysAgo}`,
    plan: of,
    startedAtMs: NOW - daysAgo * DAY_MS,
    finishedAtMs: NOW - daysAgo * DAY_MS,
    signer: 'SHA256:x',
    sequence: 1000 - daysAgo,
    there,
  });
  const due = (one: Plan, store: string, backups: readonly BackupSomewhere[]): string[] =>
    copiesDue(one, store, backups, { nowMs: NOW, keepAsideSeconds: 0 }).map(({ key }) => key);

  test('[T11] the store keeps less than the others: only what it would keep is due, by its own rule', () => {
    const backups = Array.from({ length: 20 }, (_, day) => backup(day));
    expect(due(plan({ daily: 30 }), 'archive', backups)).toHaveLength(20);
    expect(due(plan({ daily: 30 }, { archive: { last: 2, proved: 0 } }), 'archive', backups)).toEqual([
      'backups/daily/0',
      'backups/daily/1',
    ]);
    expect(due(plan({ daily: 30 }), 'elsewhere', backups)).toEqual([]);
    expect(due(plan({ daily: 30 }), 'archive', [backup(1, false, 'weekly')])).toEqual([]);
  });

  test('a plan that runs every minute: what a prune removed is not sent again as more than its schedule explains', () => {
    const often = { ...plan({ last: 1 }), schedule: { cron: '* * * * *', timeZone: 'UTC' } };
    const minutes = Array.from({ length: 6 }, (_, index) => backup(index / (24 * 60), index === 0));
    expect(due(often, 'disk', minutes)).toEqual([]);
    expect(due(plan({ last: 1 }), 'disk', minutes)).toHaveLength(5);
  });

  test('whatever is kept: what is there already is never due, and copying what is due leaves nothing due', () => {
    const history = fc.array(fc.tuple(fc.nat(400), fc.boolean()), { maxLength: 40 });
    const keep = fc.record({ last: fc.nat(5), daily: fc.nat(10), monthly: fc.nat(5) });
    fc.assert(
      fc.property(history, keep, (days, rules) => {
        const seen = new Map(days.map(([day, there]) => [day, backup(day, there)]));
        const backups = [...seen.values()];
        const keys = new Set(due(plan(rules), 'archive', backups));
        for (const one of backups) if (one.there) expect(keys.has(one.key)).toBe(false);
        const after = backups.map((one) => ({ ...one, there: one.there || keys.has(one.key) }));
        expect(due(plan(rules), 'archive', after)).toEqual([]);
      }),
    );
  });

  test('[T11] four runs an hour and more, or a floor of proved backups: what a prune removes there is not sent again', () => {
    const often: Plan = { ...plan({ last: 2, proved: 3 }), schedule: { cron: '*/10 * * * *', timeZone: 'UTC' } };
    const stored = Array.from({ length: 30 }, (_, index) => backup((index + 200) / 144));
    // The oldest three are proved there.
    const inArchive = new Set([0, 1, 27, 28, 29].map((index) => stored[index]?.key));
    const facts = stored
      .filter(({ key }) => inArchive.has(key))
      .map((one, index) => ({
        ...one,
        purpose: 'backup' as const,
        storedAtMs: one.finishedAtMs,
        holds: [],
        ...(index > 1 ? { proof: 'other-signer' as const } : {}),
      }));
    const pruned = decideRetention(facts, often.keep, NOW, {
      capturesHere: false,
      keepAsideSeconds: 0,
      intervalSeconds: 600,
    });
    expect(pruned.decisions.every(({ keep }) => keep)).toBe(true);
    const there = stored.map((one) => ({ ...one, there: inArchive.has(one.key) }));
    expect(due(often, 'archive', there)).toEqual([]);
    // A store without any gets the newest, as many as must stay.
    const none = stored.map((one) => ({ ...one, there: false }));
    expect(due(often, 'archive', none)).toEqual(stored.slice(0, 3).map(({ key }) => key));
  });
});
