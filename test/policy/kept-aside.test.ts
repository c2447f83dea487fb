import { describe, expect, it } from 'vitest';
import { judgeAside, overdueAside, type AsideFacts } from '../../src/policy/kept-aside.ts';

const NOW_MS = Date.parse('2026-06-01T12:00:00Z');
const HOUR_MS = 3_600_000;
const due: AsideFacts = { sinceMs: NOW_MS - 49 * HOUR_MS, committed: true, usedBy: [], liveExists: true };
const judge = (facts: Partial<AsideFacts>, keepSeconds = 2 * 86_400) =>
  judgeAside({ ...due, ...facts }, { nowMs: NOW_MS, keepSeconds });

describe('what a restore kept aside', () => {
  it('its time is over: it goes; not a moment earlier, unless a person says so', () => {
    expect(judge({})).toEqual({ goes: true });
    expect(judge({ sinceMs: NOW_MS - 48 * HOUR_MS })).toEqual({ goes: true });
    expect(judge({ sinceMs: NOW_MS - 48 * HOUR_MS + 1 })).toEqual({ goes: false, why: 'kept for 2 d' });
    expect(judge({ sinceMs: NOW_MS }, 0)).toEqual({ goes: true });
    // A clock that went back.
    expect(judge({ sinceMs: NOW_MS + HOUR_MS })).toMatchObject({ goes: false });
  });

  it.each([
    ['its restore is not committed', { committed: false }],
    ['it belongs to web, worker', { usedBy: ['web', 'worker'] }],
    ['nothing is in its place: it is the only state on this host', { liveExists: false }],
  ])('%s: it stays, whatever its age and whoever asks', (why, facts) => {
    for (const keepSeconds of [0, 1, 2 * 86_400]) expect(judge(facts, keepSeconds)).toEqual({ goes: false, why });
  });
});

describe('what lies aside after its time', () => {
  const of = { system: 'shop', nowMs: NOW_MS, keepSeconds: 86_400 };
  const kept = (days: number, usedBy: string[] = []) => ({
    ...{ place: `data.aside-${days}`, committed: true, usedBy },
    sinceMs: NOW_MS - days * 24 * HOUR_MS,
  });

  const run = (days: number) => ({ id: `run-${days}`, sinceMs: NOW_MS - days * 24 * HOUR_MS });

  it('a run of the week may still take it: nothing is said', () => {
    expect(overdueAside('data', { kept: [] }, of)).toBeUndefined();
    expect(overdueAside('data', { kept: [kept(0), kept(2), kept(8)], runs: [run(8)] }, of)).toBeUndefined();
  });

  it('no run has: what, since when, what keeps it, and the command', () => {
    expect(overdueAside('data', { kept: [kept(30, ['web']), kept(9), kept(8)], runs: [run(7)] }, of)).toEqual({
      subject: 'data',
      what:
        'data: kept aside by a restore for longer than keepAside (24 h): ' +
        'data.aside-30 since 2026-05-02T12:00:00.000Z (it belongs to web); data.aside-9 since 2026-05-23T12:00:00.000Z',
      hint: 'Remove it on its host: holdfast aside shop data --remove',
    });
  });

  it('what a run has left and none could clear: which, since when, and where it is said why', () => {
    const seen = overdueAside('data', { kept: [kept(30)], runs: [run(20), run(1)] }, of);
    expect(seen?.what).toContain('neither taken into use nor cleared away: run-20 since 2026-05-12T12:00:00.000Z');
    expect(seen?.what).not.toContain('run-1 ');
    expect(seen?.hint).toMatch(/--remove\. A backup of the component clears/);
    expect(overdueAside('data', { kept: [], runs: [run(20)] }, of)?.hint).toMatch(/^A backup/);
  });
});
