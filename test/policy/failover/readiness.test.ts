import { describe, expect, test } from 'vitest';
import { driftOf } from '../../../src/policy/failover/drift.ts';
import {
  criticalPointMs,
  judgeReadiness,
  worst,
  type HostReadiness,
  type ReadinessCheck,
  type ReadinessFacts,
} from '../../../src/policy/failover/readiness.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const HOUR = 3_600_000;

const HOST: HostReadiness = {
  host: 'alpha',
  lacking: [],
  room: [{ directory: '/', neededBytes: 1e9, freeBytes: 5e9, totalBytes: 10e9 }],
  imagesMissing: [],
  unseen: [],
  startByThemselves: [],
  guard: { running: true, told: 'stopped' },
};

const READY: ReadinessFacts = {
  site: 'there',
  nowMs: NOW,
  fencing: 'lease',
  rpoSeconds: 2 * 3600,
  generation: { n: 3, site: 'here', cleared: true },
  hosts: [HOST],
  newest: { backup: 'b1', store: 'far', pointAtMs: NOW - HOUR },
  newestElsewhere: { backup: 'b1', store: 'far', pointAtMs: NOW - HOUR },
  storesUnread: [],
  drift: { keys: [] },
};

function judged(change: Partial<ReadinessFacts>): ReadinessCheck[] {
  return judgeReadiness({ ...READY, ...change }).checks.filter(({ verdict }) => verdict !== 'ok');
}
const ofHost = (change: Partial<HostReadiness>): ReadinessCheck[] => judged({ hosts: [{ ...HOST, ...change }] });

describe('whether a site could take over', () => {
  test('[M7] everything is there: ready, with a verdict for each thing that was looked at', () => {
    const { verdict, checks } = judgeReadiness(READY);
    expect(verdict).toBe('ok');
    expect(checks.map(({ check }) => check)).toEqual([
      ...['hosts', 'generation', 'credentials', 'room', 'images', 'backups', 'guard', 'restart', 'drift'],
    ]);
  });

  test('[M7] one thing is lacking: not ready, and it says what', () => {
    const lacking: [ReadinessCheck[], string, RegExp][] = [
      [ofHost({ silent: 'its worker is gone' }), 'hosts', /alpha does not answer/],
      [judged({ hosts: [] }), 'hosts', /no host/],
      [judged({ generation: 'none' }), 'generation', /never put on a site/],
      [judged({ generation: { unreadable: 'no route' } }), 'generation', /no route/],
      [ofHost({ lacking: ['there is no file /keys/identity'] }), 'credentials', /identity/],
      [
        ofHost({ room: [{ directory: '/data', neededBytes: 5e9, freeBytes: 5e9, totalBytes: 1e10 }] }),
        'room',
        /\/data/,
      ],
      [ofHost({ imagesMissing: ['shop:1'] }), 'images', /shop:1/],
      [ofHost({ guard: { running: false, told: 'its guard is gone' } }), 'guard', /gone/],
      [ofHost({ startByThemselves: ['api (restart: always)'] }), 'restart', /api/],
      [judged({ dns: [{ name: 'names', why: 'AccessDenied' }] }), 'dns', /AccessDenied/],
      [judged({ rpoSeconds: 1800 }), 'backups', /more than the/],
      [judged({ rehearsal: { everySeconds: 86_400, lastAtMs: NOW - HOUR, lastOk: false } }), 'rehearsal', /failed/],
    ];
    for (const [checks, check, why] of lacking) {
      expect(checks).toMatchObject([{ check, verdict: 'not-ready' }]);
      expect(checks[0]?.reasons.join()).toMatch(why);
    }
  });

  test('[M4] every copy lies at the site that may be lost, or the others are behind: said', () => {
    const all = Object.entries(READY).filter(([key]) => key !== 'newestElsewhere');
    const { checks, verdict } = judgeReadiness(Object.fromEntries(all) as unknown as ReadinessFacts);
    expect(verdict).toBe('not-ready');
    expect(checks.find(({ check }) => check === 'backups')?.reasons.join()).toMatch(/with it they are lost/);
    const newer = { backup: 'b2', store: 'near', pointAtMs: NOW };
    expect(judged({ newest: newer })).toMatchObject([{ check: 'backups', verdict: 'warning' }]);
  });

  test('what is doubtful only warns: drift, a store that is down, a rehearsal long ago, what could not be seen', () => {
    const doubtful: ReadinessCheck[][] = [
      judged({ drift: { keys: ['plans.daily'] } }),
      judged({ drift: { unknown: 'no identity' } }),
      judged({ storesUnread: ['near (no route)'] }),
      judged({ dns: [{ name: 'names', why: 'a long time to live', doubtful: true }] }),
      judged({ rehearsal: { everySeconds: 3600, lastAtMs: NOW - 2 * HOUR, lastOk: true } }),
      judged({ rehearsal: { everySeconds: 3600 } }),
      judged({ generation: { n: 3, site: 'there', cleared: true } }),
      ofHost({ unseen: ['images: the engine is gone'] }),
    ];
    for (const checks of doubtful) expect(checks).toMatchObject([{ verdict: 'warning' }]);
    expect(worst(['ok', 'warning'])).toBe('warning');
    expect(worst([])).toBe('ok');
  });

  test('a restart policy is no danger where nothing is leased; no guard is needed either', () => {
    const { host, lacking, room, imagesMissing, unseen } = HOST;
    const hosts = [{ host, lacking, room, imagesMissing, unseen, startByThemselves: ['api'] }];
    expect(judged({ fencing: 'attested', hosts })).toMatchObject([{ check: 'restart', verdict: 'warning' }]);
  });

  test('the recovery point of a system is the oldest of what it can not be without', () => {
    const part = (tier: string, pointAt: string) => ({ tier, pointAt });
    const old = part('reference', '2026-11-01T00:00:00Z');
    const parts = [part('critical', '2026-11-22T10:00:00Z'), part('critical', '2026-11-22T09:00:00Z'), old];
    expect(criticalPointMs(parts)).toBe(Date.UTC(2026, 10, 22, 9));
    expect(criticalPointMs([old])).toBe(Date.UTC(2026, 10, 1));
    expect(criticalPointMs([])).toBeUndefined();
  });
});

describe('drift of two system files', () => {
  test('names of keys and never a value; what belongs to a site is left out', () => {
    const own = {
      site: 'here',
      hosts: ['alpha'],
      stores: { disk: { path: '/a', secret: { file: '/k' }, kind: 'directory' } },
      plans: { daily: { schedule: '0 2 * * *', components: ['db'] } },
      checks: { up: { http: 'https://one' } },
    };
    const other = {
      site: 'there',
      hosts: ['beta'],
      stores: { disk: { path: '/b', secret: { env: 'TOP_SECRET' }, kind: 'directory' } },
      plans: { daily: { schedule: '0 3 * * *', components: ['db', 'files'] }, weekly: {} },
      checks: { up: { http: 'https://one' } },
    };
    const found = driftOf(own, other);
    expect(found).toEqual([
      'plans.daily.components',
      'plans.daily.schedule',
      'plans.weekly',
      'stores.disk.secret.env',
      'stores.disk.secret.file',
    ]);
    expect(found.join()).not.toMatch(/TOP|\/k|\* \*/);
    expect(driftOf(own, { ...own, site: 'there', hosts: ['beta'] })).toEqual([]);
  });

  test('lists of entries: the same but for their paths is the same, another order is not', () => {
    const list = (...paths: string[]) => ({ list: paths.map((path) => ({ path, name: 'x' })) });
    expect(driftOf(list('/a'), list('/b'))).toEqual([]);
    expect(driftOf({ list: ['a', 'b'] }, { list: ['b', 'a'] })).toEqual(['list']);
  });
});
