/** Whether a site takes a system over: what several places saw, which backups belong to the history, and the decision. */
import { describe, expect, it } from 'vitest';
import { assessSite, type VantageReport } from '../../../src/policy/failover/assess.ts';
import {
  decideFailover,
  type CopyHere,
  type FailoverFacts,
  type FailoverRule,
} from '../../../src/policy/failover/decide.ts';
import { lineageOf, whyApart } from '../../../src/policy/failover/lineage.ts';

const MINUTE = 60_000;
const NOW = Date.parse('2026-11-22T04:00:00Z');
const RULE = { quorum: 2, looks: 5, overMs: 2 * MINUTE };

function report(vantage: string, change: Partial<VantageReport> = {}): VantageReport {
  return {
    vantage,
    place: vantage,
    saw: 'silent',
    looks: 6,
    overMs: 3 * MINUTE,
    detail: 'connection timed out',
    ...change,
  };
}

describe('is a site down', () => {
  it('[M7] enough places saw it silent for long enough: down, with what each saw', () => {
    expect(assessSite([report('ohio'), report('paris')], RULE)).toEqual({
      state: 'down',
      reasons: ['ohio: silent, connection timed out', 'paris: silent, connection timed out'],
    });
  });

  it('[M7] one was answered: up, whatever the others saw', () => {
    const answered = report('oslo', { saw: 'answers', detail: '200' });
    expect(assessSite([report('ohio'), report('paris'), answered], RULE).state).toBe('up');
  });

  it.each([
    [
      'one that reaches nothing itself',
      report('paris', { saw: 'blind', detail: 'no route' }),
      'it reaches nothing itself',
    ],
    ['one that looked too rarely', report('paris', { looks: 2 }), 'only 2 of 5 looks'],
    ['one that looked too briefly', report('paris', { overMs: MINUTE }), 'looked for 60 s of 120 s'],
    ['two in one place', report('ohio-2', { place: 'ohio' }), '1 of 2 places'],
  ])('%s does not count: nobody knows', (_, other, why) => {
    const found = assessSite([report('ohio'), other], RULE);
    expect(found.state).toBe('unknown');
    expect(found.reasons.join('\n')).toContain(why);
  });
});

describe('the history in force', () => {
  // Site a made 1; b took over at minute 10 of it; a did not know and went on; then a took over again from minute 25 of 2.
  const generations = [
    { n: 1 },
    { n: 2, origin: { generation: 1, pointAtMs: 10 * MINUTE } },
    { n: 3, origin: { generation: 2, pointAtMs: 25 * MINUTE } },
  ];

  it('backups that a fenced site went on to make are apart; those before belong to it', () => {
    const lineage = lineageOf(3, generations);
    expect(whyApart({ generation: 1, pointAtMs: 10 * MINUTE }, lineage)).toBeUndefined();
    expect(whyApart({ generation: 1, pointAtMs: 11 * MINUTE }, lineage)).toContain('another site went on');
    expect(whyApart({ generation: 2, pointAtMs: 26 * MINUTE }, lineage)).toContain('another site went on');
    expect(whyApart({ generation: 3, pointAtMs: 99 * MINUTE }, lineage)).toBeUndefined();
    expect(whyApart({ generation: 4, pointAtMs: 0 }, lineage)).toContain('no part of the history');
    expect(whyApart({ generation: 0, pointAtMs: 99 * MINUTE }, lineage)).toBeUndefined();
  });

  it('a takeover that was given up left nothing: the site before goes on with all it has', () => {
    const lineage = lineageOf(3, [...generations.slice(0, 2), { n: 3, origin: { generation: 1 } }]);
    expect(whyApart({ generation: 1, pointAtMs: 99 * MINUTE }, lineage)).toBeUndefined();
    expect(whyApart({ generation: 2, pointAtMs: 0 }, lineage)).toContain('no part of the history');
  });
});

const newest: CopyHere = { backup: 'b3', store: 'paris', generation: 1, pointAtMs: NOW - 20 * MINUTE };
const older: CopyHere = { backup: 'b2', store: 'paris', generation: 1, pointAtMs: NOW - 80 * MINUTE };
const facts: FailoverFacts = {
  site: 'ohio',
  nowMs: NOW,
  assessment: { state: 'down', reasons: ['paris: silent'] },
  generation: { n: 1, site: 'frankfurt', cleared: true },
  generations: [{ n: 1 }],
  fencing: 'lease',
  copies: [older, newest],
  storesUnread: [],
  notReady: [],
};
const rule: FailoverRule = { planned: false, downForMs: 10 * MINUTE, rpoMs: 60 * MINUTE };

describe('the decision', () => {
  it('[M7] down, a copy is here: the newest, what is lost, and a person approves', () => {
    expect(decideFailover(facts, rule)).toEqual({
      ...{ kind: 'go', approval: 'person', copy: newest, passedOver: [], dataLossMs: 20 * MINUTE, meetsRpo: true },
      ...{ nextGeneration: 2, reasons: ['paris: silent', 'the system file asks for a person'] },
    });
  });

  it('the newest is known to be bad, or was made after another site went on: the next older one, with the reasons', () => {
    const bad = { ...facts, copies: [{ ...newest, unusable: 'a chunk is missing' }, older] };
    expect(decideFailover(bad, rule)).toMatchObject({
      copy: older,
      passedOver: [{ why: 'a chunk is missing' }],
      meetsRpo: false,
    });
    const fenced = {
      ...facts,
      generation: { n: 2, site: 'frankfurt', cleared: true },
      generations: [{ n: 1 }, { n: 2, origin: { generation: 1, pointAtMs: older.pointAtMs } }],
    };
    expect(decideFailover(fenced, rule)).toMatchObject({
      copy: older,
      passedOver: [{ copy: newest }],
      nextGeneration: 3,
    });
  });

  it.each([
    ['[M7] it answers', { assessment: { state: 'up', reasons: ['oslo was answered: 200'] } }, 'oslo was answered'],
    ['nobody can say that it is down', { assessment: { state: 'unknown', reasons: ['1 of 2'] } }, 'nobody can say'],
    ['the authority store does not answer', { generation: 'unreadable' }, 'nobody knows which site is active'],
    ['there is no generation', { generation: undefined }, 'never put on a site'],
    [
      'it is active here already',
      { generation: { n: 4, site: 'ohio', cleared: true } },
      'already belongs to this site',
    ],
    ['there is no copy', { copies: [], storesUnread: ['nas'] }, 'no backup that this site can reach'],
    ['images are missing here', { notReady: ['image shop:1 is not here'] }, 'image shop:1'],
  ] as const)('%s: refused, with the reason', (_, change, why) => {
    const decision = decideFailover({ ...facts, ...change }, rule);
    expect(decision.kind).toBe('refuse');
    expect(decision.reasons.join('\n')).toContain(why);
  });

  it('declared as automatic: by itself only with a lease, long enough down, within the RPO and with every store read', () => {
    const automatic = { ...rule, automatic: { downForMs: 5 * MINUTE } };
    const approvalOf = (change: Partial<FailoverFacts>, by = automatic): string => {
      const decision = decideFailover({ ...facts, ...change }, by);
      return decision.kind === 'go' ? decision.approval : decision.kind;
    };
    expect(approvalOf({})).toBe('automatic');
    expect(approvalOf({ fencing: 'attested' })).toBe('person');
    expect(approvalOf({ fencing: 'confirmed' })).toBe('person');
    expect(approvalOf({ copies: [older] })).toBe('person');
    expect(approvalOf({ storesUnread: ['nas'] })).toBe('person');
    expect(approvalOf({}, { ...automatic, downForMs: MINUTE })).toBe('person');
  });

  it('a planned change: only while the active site answers, and with every store read', () => {
    const planned = { ...rule, planned: true };
    const up = { ...facts, assessment: { state: 'up', reasons: ['answered'] } } as const;
    expect(decideFailover(up, planned)).toMatchObject({ kind: 'go', approval: 'person' });
    expect(decideFailover(facts, planned).kind).toBe('refuse');
    expect(decideFailover({ ...up, storesUnread: ['nas'] }, planned).kind).toBe('refuse');
  });
});
