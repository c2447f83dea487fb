/** What monitoring systems read: one line, performance data, exit codes. */
import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/policy/findings.ts';
import type { SystemFindings } from '../../src/status/findings.ts';
import { nagiosOf, nagiosUnknown } from '../../src/status/nagios.ts';
import { addressOf } from '../../src/status/ping.ts';

const finding: Finding = {
  system: 'shop',
  check: 'freshness',
  subject: 'daily',
  severity: 'warning',
  what: 'plan daily: too old',
  hint: 'du -x / | sort',
};
const newest = { id: 'b1', pointAt: '2026-11-21T10:00:00Z', finishedAt: '2026-11-21T10:00:09Z', ageSeconds: 7200 };
const looked = (findings: readonly Finding[]): SystemFindings => ({
  system: 'shop',
  at: '2026-11-21T12:00:00Z',
  findings,
  unknown: [{ what: 'freshness/daily', why: 'the store is away' }],
  facts: {
    plans: [
      { plan: 'daily', backups: 1, newest, limits: { newestSeconds: 3600, sizeChange: 0.5 }, series: [], copies: [] },
    ],
    stores: [{ store: 'nas', errors: 0, bad: [], totalBytes: 10, totalAtMs: 0, readable: true, backups: 1 }],
    logs: [],
    disks: [{ host: 'local', path: "/it's=", totalBytes: 10, usedBytes: 5, freeBytes: 5, usedShare: 0.5 }],
    clocks: [],
    runs: [],
    engineRunning: true,
  },
});

describe('[W3] --nagios', () => {
  test('the worst finding decides: 0 OK, 1 warning, 2 critical, 3 when it could not be told', () => {
    const critical: Finding = { ...finding, severity: 'critical', check: 'disk' };
    expect(nagiosOf([looked([])], true).code).toBe(0);
    expect(nagiosOf([looked([finding])], false).code).toBe(1);
    expect(nagiosOf([looked([finding, critical])], false).code).toBe(2);
    expect(nagiosOf([looked([])], false).code).toBe(3);
    expect(nagiosOf([looked([])], false).text).toContain('HOLDFAST UNKNOWN - shop: not known: the store is away');
    expect(nagiosUnknown('line one\nline | two')).toEqual({ code: 3, text: 'HOLDFAST UNKNOWN - line one line / two' });
  });

  test('one bar parts text and data, labels hold neither quotes nor equals signs, findings follow line by line', () => {
    const [first = '', ...more] = nagiosOf([looked([finding])], false).text.split('\n');
    expect(first).toBe(
      "HOLDFAST WARNING - shop: 0 critical, 1 warning: plan daily: too old | 'age_daily'=7200s;;3600;0 'total_nas'=10B;;;0 'disk_local/it_s_'=50%;;;0;100",
    );
    expect(more).toEqual(['WARNING shop freshness/daily: plan daily: too old; du -x / / sort']);
  });
});

describe('the address of a sign of life', () => {
  test('/fail stands before a query; what is no web address is refused without being repeated', () => {
    expect(addressOf('https://hc.example/abc?x=1', 'alive').href).toBe('https://hc.example/abc?x=1');
    expect(addressOf('https://hc.example/abc/?x=1', 'fail').href).toBe('https://hc.example/abc/fail?x=1');
    for (const wrong of ['not-an-address-s3cret', 'ftp://s3cret.example/']) {
      expect(() => addressOf(wrong, 'alive')).toThrow(/no web address/);
      expect(() => addressOf(wrong, 'alive')).not.toThrow(/s3cret/);
    }
  });
});
