import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterTelling,
  decide,
  foundAgain,
  policyFor,
  type Due,
  type EscalationPolicy,
  type EscalationState,
} from '../../src/policy/escalation.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = Date.UTC(2026, 10, 21, 2);

/** M8: under 30 min L1, 30 to 60 min L2, 1 to 4 h L3, over 4 h executive. */
const M8: EscalationPolicy = {
  levels: [
    { name: 'L1', afterSeconds: 0, channels: ['on-call'] },
    { name: 'L2', afterSeconds: 1800, channels: ['team-lead'] },
    { name: 'L3', afterSeconds: 3600, channels: ['management'] },
    { name: 'executive', afterSeconds: 14_400, channels: ['executive'] },
  ],
  countFrom: 'outage',
  repeatSeconds: 14_400,
  settleSeconds: 600,
  acknowledgedForSeconds: 86_400,
};

interface Told {
  readonly atMs: number;
  readonly why: string;
  readonly first: number;
  readonly last: number;
}

/** Everything that is told from `fromMs` to `toMs`, looked at when the decisions ask for it. */
function follow(policy: EscalationPolicy, given: EscalationState, fromMs: number, toMs: number) {
  const told: Told[] = [];
  let state = given;
  let nowMs = fromMs;
  for (let looks = 0; looks < 10_000; looks += 1) {
    const { due, nextAtMs } = decide(policy, state, nowMs);
    if (due?.kind === 'resolve') return { told, state, resolvedAtMs: nowMs };
    if (due !== undefined) {
      told.push({ atMs: nowMs, why: due.why, first: due.first, last: due.last });
      state = afterTelling(state, due, nowMs);
      continue;
    }
    if (nextAtMs === undefined || nextAtMs > toMs) return { told, state };
    expect(nextAtMs, 'time goes on').toBeGreaterThan(nowMs);
    nowMs = nextAtMs;
  }
  throw new Error('it never comes to an end');
}

const opened = (state: Partial<EscalationState> = {}): EscalationState => ({
  severity: 'critical',
  openedAtMs: T0,
  toldLevels: 0,
  ...state,
});
const minutes = (told: readonly Told[]) =>
  told.map(({ atMs, why, first, last }) => `${(atMs - T0) / MINUTE} ${why} ${first}-${last}`);

describe('escalation', () => {
  test('an outage of half a day: each level at its minute, then reminders every four hours [M8]', () => {
    const { told } = follow(M8, opened(), T0, T0 + 12 * HOUR);
    expect(minutes(told)).toEqual([
      '0 opened 1-1',
      '30 escalated 2-2',
      '60 escalated 3-3',
      '240 escalated 4-4',
      '480 reminder 1-4',
      '720 reminder 1-4',
    ]);
  });

  test('an outage that is noticed after two hours: three levels at once, the fourth at its time [M8]', () => {
    const { told } = follow(M8, opened({ sinceMs: T0 - 2 * HOUR }), T0, T0 + 3 * HOUR);
    expect(minutes(told)).toEqual(['0 opened 1-3', '120 escalated 4-4']);
  });

  test('response times count from the notice, however long it has lasted [B10]', () => {
    const devops: EscalationPolicy = { ...M8, levels: M8.levels.slice(0, 3), countFrom: 'notice' };
    const { told } = follow(devops, opened({ sinceMs: T0 - 2 * HOUR }), T0, T0 + 2 * HOUR);
    expect(minutes(told)).toEqual(['0 opened 1-1', '30 escalated 2-2', '60 escalated 3-3']);
  });

  test('acknowledged after ten minutes: nobody else for a day, then everybody whom the outage time concerns', () => {
    const first = follow(M8, opened(), T0, T0).state;
    const held = { ...first, acknowledgedAtMs: T0 + 10 * MINUTE };
    const { told } = follow(M8, held, T0 + 10 * MINUTE, T0 + 25 * HOUR);
    expect(minutes(told)).toEqual([`${10 + 24 * 60} unattended 1-4`]);
  });

  test('gone and back within the settling time: no news, and the levels go on by the outage time', () => {
    const first = follow(M8, opened(), T0, T0).state;
    const gone = { ...first, healedAtMs: T0 + 20 * MINUTE };
    expect(decide(M8, gone, T0 + 29 * MINUTE)).toEqual({ nextAtMs: T0 + 30 * MINUTE });
    expect(decide(M8, gone, T0 + 30 * MINUTE)).toEqual({ due: { kind: 'resolve' } });
    const back = foundAgain(gone, { severity: 'critical', sinceMs: T0 + 25 * MINUTE });
    expect(minutes(follow(M8, back, T0 + 25 * MINUTE, T0 + 40 * MINUTE).told)).toEqual(['30 escalated 2-2']);
  });

  test('a warning gets the first level; once it is critical they are told again, acknowledged or not', () => {
    const config = { base: M8, classes: {} };
    const mild = policyFor(config, { check: 'size', severity: 'warning' });
    expect(mild.levels.map(({ name }) => name)).toEqual(['L1']);
    const first = follow(mild, opened({ severity: 'warning' }), T0, T0 + 2 * HOUR);
    expect(minutes(first.told)).toEqual(['0 opened 1-1']);
    const worse = foundAgain({ ...first.state, acknowledgedAtMs: T0 + HOUR }, { severity: 'critical' });
    expect(worse.acknowledgedAtMs).toBeUndefined();
    const { told, state } = follow(M8, worse, T0 + 2 * HOUR, T0 + 2 * HOUR);
    expect(minutes(told)).toEqual(['120 raised 1-3']);
    const mildAgain = foundAgain(foundAgain(state, { severity: 'warning' }), { severity: 'critical' });
    expect(decide(M8, mildAgain, T0 + 3 * HOUR).due).toBeUndefined();
  });

  test('a check of its own, then a severity, then the base', () => {
    const own = { ...M8, repeatSeconds: 1 };
    const severe = { ...M8, repeatSeconds: 2 };
    const config = { base: M8, classes: { corruption: own, warning: severe } };
    expect(policyFor(config, { check: 'corruption', severity: 'warning' })).toBe(own);
    expect(policyFor(config, { check: 'size', severity: 'warning' })).toBe(severe);
    expect(policyFor(config, { check: 'size', severity: 'critical' })).toBe(M8);
  });

  test('no levels: nobody is told, and it is resolved all the same', () => {
    const nobody = { ...M8, levels: [] };
    expect(decide(nobody, opened(), T0)).toEqual({});
    expect(decide(nobody, opened({ healedAtMs: T0 }), T0 + HOUR)).toEqual({ due: { kind: 'resolve' } });
  });
});

const policies: fc.Arbitrary<EscalationPolicy> = fc.record({
  levels: fc
    .uniqueArray(fc.integer({ min: 0, max: 20_000 }), { minLength: 0, maxLength: 5 })
    .map((times) =>
      times
        .toSorted((a, b) => a - b)
        .map((afterSeconds, index) => ({ name: `L${index + 1}`, afterSeconds, channels: ['x'] })),
    ),
  countFrom: fc.constantFrom('outage' as const, 'notice' as const),
  repeatSeconds: fc.integer({ min: 60, max: 20_000 }),
  settleSeconds: fc.integer({ min: 0, max: 3600 }),
  acknowledgedForSeconds: fc.integer({ min: 60, max: 90_000 }),
});

type Step = { readonly afterMs: number; readonly what: 'ack' | 'heal' | 'critical' | 'warning' | 'look' };
const steps = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 3 * HOUR }),
    what: fc.constantFrom<Step['what'][]>('ack', 'heal', 'critical', 'warning', 'look'),
  }),
  { maxLength: 12 },
);

function act(state: EscalationState, what: Step['what'], nowMs: number): EscalationState {
  if (what === 'ack') return { ...state, acknowledgedAtMs: nowMs };
  if (what === 'heal') return { ...state, healedAtMs: state.healedAtMs ?? nowMs };
  return what === 'look' ? state : foundAgain(state, { severity: what });
}

/** A whole life, with what was told and the state in which it was. */
function live(policy: EscalationPolicy, life: readonly Step[]) {
  const told: (Told & { readonly before: EscalationState })[] = [];
  let state = opened();
  let nowMs = T0;
  const settle = (): Due | undefined => {
    for (let looks = 0; looks < 50; looks += 1) {
      const { due } = decide(policy, state, nowMs);
      if (due?.kind !== 'tell') return due;
      told.push({ ...due, atMs: nowMs, before: state });
      state = afterTelling(state, due, nowMs);
    }
    throw new Error('told for ever');
  };
  for (const { afterMs, what } of life) {
    if (settle()?.kind === 'resolve') break;
    nowMs += afterMs;
    if (settle()?.kind === 'resolve') break;
    state = act(state, what, nowMs);
  }
  return { told, state };
}

describe('escalation, whatever happens', () => {
  test('no level is told for the first time twice, and levels come in order', () => {
    fc.assert(
      fc.property(policies, steps, (policy, life) => {
        let upTo = 0;
        for (const { why, first, last } of live(policy, life).told) {
          const isNew = why === 'opened' || why === 'escalated';
          expect(first).toBe(isNew ? upTo + 1 : 1);
          expect(last).toBeGreaterThanOrEqual(isNew ? first : upTo);
          if (why === 'reminder') expect(last).toBe(upTo);
          upTo = last;
        }
        expect(upTo).toBeLessThanOrEqual(policy.levels.length);
      }),
    );
  });

  test('nobody is told while it is gone, or while an acknowledgement holds', () => {
    fc.assert(
      fc.property(policies, steps, (policy, life) => {
        for (const { atMs, before } of live(policy, life).told) {
          expect(before.healedAtMs).toBeUndefined();
          const until = (before.acknowledgedAtMs ?? -Infinity) + policy.acknowledgedForSeconds * 1000;
          expect(atMs).toBeGreaterThanOrEqual(until);
        }
      }),
    );
  });

  test('a reminder comes no sooner than its time after the last message', () => {
    fc.assert(
      fc.property(policies, steps, (policy, life) => {
        const { told } = live(policy, life);
        for (const { atMs, why, before } of told) {
          if (why !== 'reminder') continue;
          expect(atMs - (before.toldAtMs ?? Infinity)).toBeGreaterThanOrEqual(policy.repeatSeconds * 1000);
        }
      }),
    );
  });

  test('a level whose time has come is told at once, and no level before its time', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 0, max: 30_000 }), (policy, seconds) => {
        const nowMs = T0 + seconds * 1000;
        const { state } = follow(policy, opened(), nowMs, nowMs);
        expect(state.toldLevels).toBe(policy.levels.filter(({ afterSeconds }) => afterSeconds <= seconds).length);
      }),
    );
  });

  test('what is due stays due until it is told: a late look asks for no less', () => {
    fc.assert(
      fc.property(policies, steps, fc.integer({ min: 0, max: 40_000_000 }), (policy, life, laterMs) => {
        const { state } = live(policy, life);
        const now = decide(policy, state, T0 + 100 * HOUR).due;
        const later = decide(policy, state, T0 + 100 * HOUR + laterMs).due;
        if (now === undefined) return;
        expect(later?.kind).toBe(now.kind);
        if (now.kind === 'tell' && later?.kind === 'tell') expect(later.last).toBeGreaterThanOrEqual(now.last);
      }),
    );
  });
});
