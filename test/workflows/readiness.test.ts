import { describe, expect, test } from 'vitest';
import type { ReadinessResult } from '../../src/workflows/contract.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { timeSkippingServer } from './time-skipping.ts';
import { failWith } from './world.ts';

const play = playOn(timeSkippingServer);
const asked = (more: object = {}) => ({ system: uniqueName('sys'), ...more });

describe('readiness', () => {
  test('[M7] asked of the site and of each host, judged, written down; nothing live is touched', async () => {
    await play.inWorld({ whole: {} }, async (world) => {
      const result = await play.run<ReadinessResult>('readiness', asked());
      expect(result).toMatchObject({ site: 'home', ok: false, verdict: 'not-ready' });
      const bad = result.checks.filter(({ verdict }) => verdict === 'not-ready');
      // The world's backups are of one day in the past.
      expect(bad.map(({ check }) => check)).toEqual(['backups']);
      for (const none of ['stopForRestore', 'restoreBeside', 'beginCapture']) expect(world.names()).not.toContain(none);
      expect(world.count('writeReport')).toBe(1);
    });
  });

  test('a host is silent, another store holds nothing: told, and the rest is looked at all the same', async () => {
    const script = {
      lookReadiness: () => failWith('DockerUnreachable', 'no engine'),
      planRestore: (call: number) => (call > 1 ? failWith('BackupMissing') : undefined),
    };
    await play.inWorld({ whole: {}, script }, async () => {
      const { checks } = await play.run<ReadinessResult>('readiness', asked());
      const reasons = (name: string) => checks.find(({ check }) => check === name)?.reasons.join();
      expect(reasons('hosts')).toMatch(/alpha does not answer: .*no engine/);
      expect(reasons('backups')).toMatch(/every backup lies at the active site/);
    });
  });

  test('[B9] rehearsed: a drill beside it, measured, with what a failover would take', async () => {
    await play.inWorld({ whole: {} }, async (world) => {
      const result = await play.run<ReadinessResult>('readiness', asked({ rehearse: true }));
      expect(result.rehearsal).toMatchObject({ outcome: 'passed', fenceSeconds: 99 });
      const { restoreSeconds = -1, wouldTakeSeconds } = result.rehearsal ?? {};
      expect(wouldTakeSeconds).toBe(restoreSeconds + 99);
      expect(world.count('clearDrill')).toBeGreaterThan(0);
      expect(world.names()).not.toContain('stopForRestore');
    });
  });
});
