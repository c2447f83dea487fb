import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeStart, judgeUnit, startLevels, type UnitSeen } from '../../src/policy/unit-state.ts';

const NOW = Date.parse('2026-11-22T10:00:00Z');

function unit(more: Partial<UnitSeen> = {}): UnitSeen {
  const name = more.name ?? 'app.service';
  return {
    name,
    names: [name],
    load: 'loaded',
    active: 'active',
    sub: 'running',
    result: 'success',
    type: 'simple',
    enablement: 'enabled',
    file: `/etc/systemd/system/${name}`,
    dropIns: [],
    after: [],
    dependants: [],
    triggers: [],
    restarts: 0,
    exitStatus: 0,
    invocation: 'a1',
    hasJob: false,
    conditionsMet: true,
    ...more,
  };
}

const down = { active: 'inactive', sub: 'dead' } as const;

describe('a unit [M6]', () => {
  test.each<[string, Partial<UnitSeen>, object]>([
    ['up', {}, { kind: 'fine' }],
    ['on its way', { active: 'activating', sub: 'start' }, { kind: 'fine' }],
    ['failed', { active: 'failed', result: 'exit-code', exitStatus: 7 }, { what: 'has failed (exit-code, 7)' }],
    ['started again at once', { active: 'activating', sub: 'auto-restart', restarts: 1 }, { kind: 'broken' }],
    ['up after the fourth try', { restarts: 4, upSince: '2026-11-22T09:59:30Z' }, { kind: 'broken' }],
    ['up for long after four tries', { restarts: 4, upSince: '2026-11-22T08:00:00Z' }, { kind: 'fine' }],
    ['gone', { ...down, load: 'not-found', enablement: '' }, { what: 'has no unit file' }],
    ['wrongly written', { ...down, load: 'bad-setting' }, { what: "can't be loaded (bad-setting)" }],
    ['masked', { ...down, load: 'masked', enablement: 'masked' }, { kind: 'left' }],
    ['stopped, by whom nobody knows', down, { kind: 'broken', doubt: 'it may have been stopped by hand' }],
    ['enabled and never started', { ...down, invocation: '' }, { what: 'is enabled and was never started' }],
    ['not started by its conditions', { ...down, invocation: '', conditionsMet: false }, { kind: 'left' }],
    ['not enabled', { ...down, enablement: 'disabled' }, { kind: 'left' }],
    ['a task that has ended', { ...down, type: 'oneshot' }, { kind: 'fine' }],
    ['started by its socket', { ...down, triggers: ['app.socket'] }, { kind: 'fine' }],
  ])('%s', (_, seen, verdict) => {
    expect(judgeUnit(unit(seen), NOW)).toMatchObject(verdict);
  });

  test.each<[string, Partial<UnitSeen>, object]>([
    ['its process was begun', {}, { kind: 'up', unproved: true }],
    ['it says that it is ready', { type: 'notify' }, { kind: 'up', unproved: false }],
    ['a timer waits', { name: 'tidy.timer', type: '' }, { kind: 'up', unproved: false }],
    ['a task ended', { ...down, type: 'oneshot' }, { kind: 'up', now: 'ended well' }],
    ['its start is under way', { ...down, hasJob: true }, { kind: 'waits' }],
    ['it falls for the first time', { active: 'activating', sub: 'auto-restart', restarts: 1 }, { kind: 'waits' }],
    ['it falls for ever', { active: 'activating', sub: 'auto-restart', restarts: 3 }, { kind: 'down' }],
    ['what it needs is down', { ...down, invocation: '' }, { now: 'not started: what it needs is down' }],
    ['it ended at once', down, { kind: 'down', now: 'ended (success)' }],
    ['it has no file', { ...down, load: 'not-found' }, { kind: 'down', now: 'no unit file' }],
  ])('after a start: %s', (_, seen, verdict) => {
    expect(judgeStart(unit(seen))).toMatchObject(verdict);
  });

  test('the order of starting: what a unit comes after is on a lower level, by an alias too; a circle has an end', () => {
    const db = unit({ name: 'db.service', names: ['db.service', 'data.service'], after: ['basic.target'] });
    const app = unit({ after: ['data.service', 'elsewhere.service'] });
    const web = unit({ name: 'web.service', after: ['app.service', 'db.service'] });
    expect(Object.fromEntries(startLevels([web, app, db]))).toEqual({
      'db.service': 0,
      'app.service': 1,
      'web.service': 2,
    });
    expect(
      startLevels([unit({ after: ['b.service'] }), unit({ name: 'b.service', after: ['app.service'] })]).size,
    ).toBe(2);
    const chains = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 25 });
    fc.assert(
      fc.property(chains, (pairs) => {
        // From smaller to greater numbers only: no circles.
        const units = Array.from({ length: 10 }, (_, at) =>
          unit({
            name: `${at}.service`,
            after: pairs.flatMap(([a, b]) => (b === at && a < b ? [`${a}.service`] : [])),
          }),
        );
        const levels = startLevels(units);
        for (const { name, after } of units) {
          for (const before of after) expect(levels.get(before)).toBeLessThan(levels.get(name) ?? 0);
        }
      }),
    );
  });
});
