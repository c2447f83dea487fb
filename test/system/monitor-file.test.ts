/** Limits and monitoring as a system file says them. */
import { describe, expect, test } from 'vitest';
import { parseSystem } from '../policy/monitored-system.ts';

const problems = (plan: readonly string[], monitor: readonly string[] = []): string => {
  try {
    parseSystem(plan, monitor);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('limits and monitor', () => {
  test('defaults are filled in, units are seconds, bytes and shares', () => {
    const system = parseSystem(
      ['limits: { newest: 26h, copy: { away: 2h }, sizeChange: 30% }'],
      ['disks: [{ path: /srv, free: 10GiB }]', 'totalSize: 1TiB', 'ping: { url: { env: PING } }'],
    );
    expect(system.plans[0]?.limits).toEqual({ newestSeconds: 93_600, copyInSeconds: { away: 7200 }, sizeChange: 0.3 });
    expect(system.monitor).toEqual({
      disks: [{ path: '/srv', host: 'local', used: 0.8, freeBytes: 10 * 2 ** 30 }],
      totalBytes: 2 ** 40,
      clockSeconds: 5,
      ping: { url: { env: 'PING' }, everySeconds: 60, tellFailure: false },
    });
    expect(parseSystem([]).monitor).toBeUndefined();
    expect(parseSystem(['limits: { copy: 3h }']).plans[0]?.limits).toMatchObject({ copySeconds: 10_800 });
  });

  test('a host or a store that is not there, a share over all, a limit that comes too late: each is told', () => {
    expect(problems([], ['disks: [{ path: /srv, host: locale }]'])).toContain('did you mean `local`?');
    expect(problems([], ['disks: [{ path: /srv, used: 120% }]'])).toContain('write at most 100%');
    expect(problems(['limits: { copy: { awey: 1h } }'])).toContain('did you mean `away`?');
    expect(problems(['limits: { newset: 1h }'])).toContain('did you mean `newest`?');
    expect(problems(['limits: { newest: 0s }'])).toContain('write a duration');
  });

  test('an address in the open: refused without being repeated', () => {
    const text = problems([], ['ping: { url: https://hc.example/s3cret }']);
    expect(text).toContain('holds a value where a reference is wanted');
    expect(text).not.toContain('s3cret');
  });
});
