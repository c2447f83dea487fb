/** What a prune cleans beside backups: never what anybody could need. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ASIDE_SECONDS, decideAside, decideEpochs, type AsideFact, type EpochUse } from '../../src/policy/leftovers.ts';

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');
const NAMES = ['a', 'b', 'c', 'd', 'e'];

const names = fc.uniqueArray(fc.constantFrom(...NAMES)).map((found): ReadonlySet<string> => new Set(found));
const use: fc.Arbitrary<EpochUse> = fc.record({
  current: fc.constantFrom(...NAMES),
  named: names,
  open: names,
  unknown: fc.array(fc.constant('a manifest cannot be read'), { maxLength: 1 }),
  holdsLog: fc.boolean(),
});
const ages = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: NAMES.length, maxLength: NAMES.length });

describe('keys of epochs', () => {
  test('any use of them: a key goes exactly when nothing can name it, it is not that of today, and it is old enough', () => {
    fc.assert(
      fc.property(use, ages, (of, hours) => {
        const epochs = NAMES.map((epoch, index) => {
          return { key: `keys/${epoch}`, epoch, storedAtMs: NOW_MS - (hours[index] ?? 0) * 3_600_000 };
        });
        const decided = decideEpochs(epochs, of, { nowMs: NOW_MS, minimumAgeSeconds: 24 * 3600 });
        expect(decided.map(({ key }) => key)).toEqual(epochs.map(({ key }) => key));
        for (const [index, { keep, why }] of decided.entries()) {
          const epoch = NAMES[index] ?? '';
          const needed = epoch === of.current || of.named.has(epoch) || of.open.has(epoch);
          const free = !needed && of.unknown.length === 0 && !of.holdsLog && (hours[index] ?? 0) >= 24;
          expect(keep).toBe(!free);
          expect(why).not.toBe('');
        }
      }),
    );
  });
});

const OBJECT = 'chunks/ab/abab';
const hour = fc.integer({ min: 0, max: 24 * 60 });
const asideUse = fc.record(
  { named: fc.option(fc.boolean(), { nil: undefined }), bad: fc.boolean(), thereHours: hour },
  { requiredKeys: ['named', 'bad'] },
);

function factsOf(agoHours: number, withRecord: boolean, withBytes: boolean): AsideFact[] {
  const key = `quarantine/${OBJECT}-20261101T000000Z-aaaaaaaaaaaa`;
  const storedAtMs = NOW_MS - agoHours * 3_600_000;
  const bytes: AsideFact = { key, object: OBJECT, kind: 'bytes', storedAtMs };
  const record: AsideFact = { key: `${key}.json`, object: OBJECT, kind: 'record', storedAtMs };
  return [...(withBytes ? [bytes] : []), ...(withRecord ? [record] : [])];
}

describe('what was put aside', () => {
  test('any case: nothing goes that is young, and no name goes while the object is gone or bad', () => {
    fc.assert(
      fc.property(hour, fc.boolean(), fc.boolean(), asideUse, (agoHours, withRecord, withBytes, given) => {
        const { named, bad, thereHours } = given;
        const there = thereHours === undefined ? {} : { thereSinceMs: NOW_MS - thereHours * 3_600_000 };
        const decided = decideAside(factsOf(agoHours, withRecord, withBytes), () => ({ named, bad, ...there }), {
          nowMs: NOW_MS,
        });
        const gone = decided.filter(({ keep }) => !keep);
        if (agoHours * 3600 < ASIDE_SECONDS) expect(gone).toEqual([]);
        const isThere = thereHours !== undefined;
        if (!isThere || bad) {
          // A host that was away finds a name all the same, and forgets the object.
          expect(gone.length).toBeLessThan(Math.max(1, decided.length));
          expect(gone.some(({ key }) => key.endsWith('.json'))).toBe(false);
        }
        // The bytes themselves, while somebody needs them and nothing better is there.
        const isBetter = isThere && !bad && thereHours <= agoHours;
        if (named !== false && !isBetter) expect(gone.some(({ key }) => !key.endsWith('.json'))).toBe(false);
      }),
    );
  });

  test('healed a month ago, and good: both names go; named by nothing and gone: the bytes go, the record stays', () => {
    const old = factsOf(24 * 31, true, true);
    const healed = decideAside(old, () => ({ named: true, bad: false, thereSinceMs: NOW_MS - 24 * 31 * 3_600_000 }), {
      nowMs: NOW_MS,
    });
    expect(healed.map(({ keep }) => keep)).toEqual([false, false]);
    const unnamed = decideAside(old, () => ({ named: false, bad: false }), { nowMs: NOW_MS });
    expect(unnamed.map(({ keep, why }) => [keep, why])).toEqual([
      [false, `nothing names ${OBJECT} any more`],
      [true, `hosts that were away have to learn that ${OBJECT} is gone`],
    ]);
  });
});
