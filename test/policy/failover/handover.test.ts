/** A planned change of sites: the rules by themselves, and played by two sites with everything that goes wrong. */
import { describe, expect, it } from 'vitest';
import { askedSiteNext, askingSiteNext, handedTo, isStale } from '../../../src/policy/failover/handover.ts';
import { BROKEN, play, type Broken } from './handover-model.ts';

const SEEDS = 4000;
const seen = { generation: { n: 3, site: 'frankfurt', cleared: true } };
const request = { n: 4, attempt: 1, site: 'ohio', requestId: 'run 1' };
const own = { site: 'frankfurt', n: 4, attempt: 1, stopped: true, proved: true, waitedOut: false };

describe('[M7] two sites change over', () => {
  it(`${SEEDS} schedules: never both, nothing written is missing, and one runs in the end`, () => {
    let handedOver = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const played = play({ seed });
      expect(played.violation, `seed ${seed}`).toBeUndefined();
      if (played.handedOver) handedOver += 1;
    }
    // Both ends are played, or the model shows nothing.
    expect(handedOver).toBeGreaterThan(SEEDS / 10);
    expect(handedOver).toBeLessThan(SEEDS - SEEDS / 50);
  });

  it.each(BROKEN.map((broken): [Broken] => [broken]))('one rule left out, %s: the model finds it', (broken) => {
    const seeds = Array.from({ length: SEEDS }, (_, seed) => seed + 1);
    expect(seeds.some((seed) => play({ seed, broken }).violation !== undefined)).toBe(true);
  });
});

describe('[M7] the site that was asked', () => {
  it('stops, backs up, answers, and waits; when nobody raises it raises that very generation for itself', () => {
    const asked = { ...seen, request };
    expect(askedSiteNext(asked, { ...own, stopped: false }).kind).toBe('stop');
    expect(askedSiteNext(asked, { ...own, proved: false }).kind).toBe('back up');
    expect(askedSiteNext(asked, own).kind).toBe('answer stopped');
    const answered = { ...asked, answer: { outcome: 'stopped' as const } };
    expect(askedSiteNext(answered, own).kind).toBe('wait');
    expect(askedSiteNext(answered, { ...own, waitedOut: true }).kind).toBe('raise for itself');
    expect(handedTo(answered)).toBe('ohio');
    expect(handedTo(asked)).toBeUndefined();
  });

  it.each([
    ['it was withdrawn', { ...seen, request, answer: { outcome: 'withdrawn' as const } }, 'start again'],
    ['another attempt was made since', { ...seen, request: { ...request, attempt: 2 } }, 'start again'],
    ['it has the generation itself', { generation: { n: 4, site: 'frankfurt', cleared: true } }, 'start again'],
    ['it was given back half-way', { generation: { n: 4, site: 'frankfurt', cleared: false } }, 'clear'],
    ['the other has raised', { generation: { n: 4, site: 'ohio', cleared: false } }, 'handed over'],
  ])('%s', (_, shown, kind) => {
    expect(askedSiteNext(shown, own).kind).toBe(kind);
  });

  it('stops for no request of yesterday', () => {
    const at = '2026-11-22T10:00:00.000Z';
    expect(isStale({ at, withinSeconds: 600 }, Date.parse('2026-11-22T10:09:00Z'))).toBe(false);
    expect(isStale({ at, withinSeconds: 600 }, Date.parse('2026-11-22T10:16:00Z'))).toBe(true);
  });
});

describe('[M7] the site that asks', () => {
  const asking = { site: 'ohio', requestId: 'run 1', wants: true };
  it.each([
    ['nothing was asked', seen, true, 'ask'],
    ['not answered yet', { ...seen, request }, true, 'wait'],
    ['not answered, and it wants no more', { ...seen, request }, false, 'withdraw'],
    ['the other has stopped', { ...seen, request, answer: { outcome: 'stopped' as const } }, true, 'raise'],
    [
      'it has stopped, and this one wants no more',
      { ...seen, request, answer: { outcome: 'stopped' as const } },
      false,
      'give back',
    ],
    ['it has refused', { ...seen, request, answer: { outcome: 'refused' as const } }, true, 'over'],
    ['it is its own', { generation: { n: 4, site: 'ohio', cleared: false } }, true, 'over'],
  ])('%s', (_, shown, wants, kind) => {
    expect(askingSiteNext(shown, 4, { ...asking, wants }).kind).toBe(kind);
  });
});
