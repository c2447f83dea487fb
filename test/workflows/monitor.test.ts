/** Looking at a system: every host is asked, a silent one holds nobody up, and a lost sign of life fails nothing. */
import { describe, expect, test } from 'vitest';
import type { HostSeen } from '../../src/policy/host-look.ts';
import type { MonitorResult } from '../../src/workflows/contract.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { failWith, HOST, type World } from './world.ts';

const play = playOn();

const seenBy = (world: World): readonly HostSeen[] => {
  const judged = world.calls.find(({ name }) => name === 'judgeSystem');
  return (judged?.input as { hosts: readonly HostSeen[] } | undefined)?.hosts ?? [];
};

describe('[B5] monitor', () => {
  test('every host is asked between two moments of the engine, and what was found is told', async () => {
    await play.inWorld({ configHost: 'beta' }, async (world) => {
      const result = await play.run<MonitorResult>('monitor', { system: 'mon-1' });
      expect(result.findings).toMatchObject([{ check: 'freshness', subject: 'daily' }]);
      expect(result.findingsCount).toBe(1);
      const seen = seenBy(world);
      expect(seen.map(({ host }) => host)).toEqual([HOST, 'beta']);
      for (const { askedAtMs = 0, answeredAtMs = 0, look } of seen) {
        expect(look).toBeDefined();
        expect(answeredAtMs).toBeGreaterThanOrEqual(askedAtMs);
      }
      const signs = world.calls.filter(({ name }) => name === 'signOfLife').map(({ input }) => input);
      expect(signs).toMatchObject([{ system: 'mon-1', broken: true }]);
    });
  });

  test('a host that fails to look: it is judged as silent, and the run ends as always', async () => {
    const script = { lookAround: () => failWith('PermissionDenied', 'not for you') };
    await play.inWorld({ script }, async (world) => {
      const { findings } = await play.run<MonitorResult>('monitor', { system: 'mon-2' });
      expect(findings).toMatchObject([{ subject: 'daily' }, { check: 'engine', subject: HOST, what: 'not for you' }]);
      expect(seenBy(world)).toEqual([{ host: HOST, silent: 'not for you' }]);
    });
  });

  test('a sign of life that nobody takes: the run does not fail', async () => {
    const script = { signOfLife: () => failWith('SecretMissing') };
    await play.inWorld({ script }, async (world) => {
      expect((await play.run<MonitorResult>('monitor', { system: 'mon-3' })).findingsCount).toBe(1);
      expect(world.count('signOfLife')).toBe(1);
    });
  });

  test('a field that is none: refused with what is allowed', async () => {
    await play.inWorld({}, async () => {
      const failed = await failureOf(play.run('monitor', { system: 'mon-4', plan: 'daily' }));
      expect(failed).toMatchObject({ type: 'BadInput' });
    });
  });
});
