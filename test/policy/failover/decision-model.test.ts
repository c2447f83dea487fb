/** Whether a site takes over, and of which backup, over many random histories; `npm run model:failover` plays millions. */
import { describe, expect, it } from 'vitest';
import { decideFailover } from '../../../src/policy/failover/decide.ts';
import { playDecisions } from './decision-model.ts';

const SCHEDULES = 20_000;
const FOUND_WITHIN = 4000;

describe('histories of sites that lose one another', () => {
  it('[M7] never against an answer, by too few places, of another history or an older copy; by itself only as declared', () => {
    const wrong: string[] = [];
    let [goes, automatic] = [0, 0];
    for (let seed = 1; seed <= SCHEDULES; seed += 1) {
      const played = playDecisions(seed);
      goes += played.goes;
      automatic += played.automatic;
      if (played.violation !== undefined) wrong.push(`seed ${seed}: ${played.violation}`);
    }
    expect(wrong).toEqual([]);
    expect(goes).toBeGreaterThan(SCHEDULES / 2);
    expect(automatic).toBeGreaterThan(SCHEDULES / 100);
  });

  it.each<[string, typeof decideFailover, RegExp]>([
    [
      'where a history came from is forgotten',
      (facts, rule) =>
        decideFailover(
          { ...facts, generations: facts.generations.map(({ n }) => ({ n, origin: { generation: n - 1 } })) },
          rule,
        ),
      /beside the history/,
    ],
    [
      'a silent store counts as an empty one',
      (facts, rule) => decideFailover({ ...facts, storesUnread: [] }, rule),
      /store unread/,
    ],
    [
      'a site that is up is taken over, too',
      (facts, rule) => decideFailover({ ...facts, assessment: { ...facts.assessment, state: 'down' } }, rule),
      /was answered|places/,
    ],
    [
      'all copies are of one generation',
      (facts, rule) => {
        const { n } = typeof facts.generation === 'object' ? facts.generation : { n: 0 };
        return decideFailover({ ...facts, copies: facts.copies.map((copy) => ({ ...copy, generation: n })) }, rule);
      },
      /beside the history|holds more/,
    ],
    ['it says nothing', () => ({ kind: 'refuse', reasons: [] }), /without a reason/],
  ])('%s: the model finds it', (_, broken, what) => {
    let found: string | undefined;
    for (let seed = 1; seed <= FOUND_WITHIN && found === undefined; seed += 1) {
      found = playDecisions(seed, broken).violation;
    }
    expect(found).toMatch(what);
  });
});
