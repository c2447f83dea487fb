/** Who may run, capture and be started, by what could be read. */
import { describe, expect, it } from 'vitest';
import { captureUnder, standingOf, whyMayNotRun } from '../../../src/policy/failover/standing.ts';
import { dueParts, startedAgain, wantedAfter, type PartSeen } from '../../../src/policy/failover/wanted.ts';

const OWN = { n: 3, site: 'frankfurt', cleared: true };
const UNREAD = { kind: 'unreadable', why: 'no route' } as const;

describe('the standing of a site', () => {
  it.each([
    [OWN, undefined, 'active'],
    [{ ...OWN, cleared: false }, undefined, 'unclear'],
    [{ ...OWN, site: 'ohio' }, OWN, 'elsewhere'],
    [undefined, undefined, 'none'],
    // What was read before is gone: somebody changed the store, or it is another one.
    [undefined, OWN, 'unreadable'],
    [OWN, { n: 4, site: 'ohio', cleared: true }, 'unreadable'],
  ] as const)('%j, and before %j: %s', (newest, last, kind) => {
    const standing = standingOf(newest, 'frankfurt', last);
    expect(standing.kind).toBe(kind);
    expect(whyMayNotRun(standing) === undefined).toBe(kind === 'active');
  });

  it('nobody knows: nothing is started, and a capture goes on under what was believed last', () => {
    expect(whyMayNotRun(UNREAD)).toContain('no route');
    expect(captureUnder({ ...UNREAD, last: OWN }, 'frankfurt')).toMatchObject({ kind: 'go', generation: 3 });
    expect(captureUnder({ ...UNREAD, last: OWN }, 'ohio').kind).toBe('refuse');
    expect(captureUnder(UNREAD, 'frankfurt').kind).toBe('refuse');
  });

  it('another site is active: nothing is started, and no capture is made', () => {
    const standing = standingOf({ n: 4, site: 'ohio', cleared: false }, 'frankfurt', OWN);
    expect(whyMayNotRun(standing)).toContain('ohio');
    expect(captureUnder(standing, 'frankfurt')).toMatchObject({ kind: 'refuse' });
  });
});

describe('what of a stack is to run', () => {
  const part = (name: string, more: Partial<PartSeen> = {}): PartSeen => {
    return { name, up: false, fresh: false, endedWell: false, frozen: false, ...more };
  };

  it('nothing is remembered: all of it; then what ran, and not a task that has ended well', () => {
    const all = wantedAfter(undefined, [part('app'), part('task', { endedWell: true })]);
    expect([...all]).toEqual(['app', 'task']);
    expect([...wantedAfter(all, [part('app', { up: true }), part('task', { endedWell: true })])]).toEqual(['app']);
  });

  it('all of it is down, as after a machine was started: none of it is forgotten', () => {
    const all = new Set(['app', 'db']);
    expect([...wantedAfter(all, [part('app'), part('db', { endedWell: true })])]).toEqual(['app', 'db']);
  });

  it('a capture holds one of them: it is neither started nor forgotten', () => {
    const seen = [part('app', { up: true }), part('db', { endedWell: true, frozen: true })];
    const wanted = wantedAfter(new Set(['app', 'db']), seen);
    expect([...wanted]).toEqual(['app', 'db']);
    expect(dueParts(seen, wanted, { starts: new Map(), nowMs: 0 })).toEqual([]);
  });

  it('one that falls again and again is started ever more rarely, at least once a minute', () => {
    const seen = [part('app')];
    const wanted = new Set(['app']);
    let starts: ReturnType<typeof startedAgain> = new Map();
    const waits: number[] = [];
    let nowMs = 0;
    for (let fall = 0; fall < 12; fall += 1) {
      starts = startedAgain(starts, 'app', nowMs);
      const begunMs = nowMs;
      while (dueParts(seen, wanted, { starts, nowMs }).length === 0) nowMs += 500;
      waits.push(nowMs - begunMs);
    }
    expect(waits.slice(0, 4)).toEqual([1000, 2000, 4000, 8000]);
    expect(Math.max(...waits)).toBe(60_000);
    // It stayed up for long: the next fall is forgiven.
    expect(startedAgain(starts, 'app', nowMs + 600_000).get('app')?.falls).toBe(0);
  });
});
