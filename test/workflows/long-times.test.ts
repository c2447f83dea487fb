/** What depends on days passing: the time-skipping server passes them in moments. Only timers and retries are tested here. */
import { describe, expect, test } from 'vitest';
import { type BackupResult, type CopyResult, type RestoreResult } from '../../src/workflows/contract.ts';
import type { WalTurn, WalTurnInput } from '../../src/activities/types.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { timeSkippingServer } from './time-skipping.ts';
import { failWith } from './world.ts';

const DAY_SECONDS = 24 * 3600;

const play = playOn(timeSkippingServer);

describe('over days', () => {
  test('nobody approves within three days: the restore ends as expired and has touched nothing', async () => {
    await play.inWorld({ approvalLimitSeconds: 3 * DAY_SECONDS }, async (world) => {
      const before = await play.env.currentTimeMs();
      const result = await play.run<RestoreResult>('restore', { system: uniqueName('sys') });
      expect(result.outcome).toBe('expired');
      expect(result.why).toContain('259200');
      expect((await play.env.currentTimeMs()) - before).toBeGreaterThanOrEqual(3 * DAY_SECONDS * 1000);
      expect(world.names()).toEqual(['describeSystem', 'planRestore']);
    });
  });

  test('the store is down for hours: the backup is made when it is back', async () => {
    const script = {
      commitCapture: (call: number) => {
        if (call < 30) failWith('StoreUnreachable');
      },
    };
    await play.inWorld({ script }, async (world) => {
      const before = await play.env.currentTimeMs();
      const result = await play.run<BackupResult>('backup', { system: uniqueName('sys'), plan: 'daily' });
      expect(result.outcome).toBe('done');
      expect(world.count('commitCapture')).toBe(30);
      expect((await play.env.currentTimeMs()) - before).toBeGreaterThan(3600 * 1000);
    });
  });

  test('the target of a copy is down for days: waited for, and copied when it is back', async () => {
    const copyTurn = (call: number) => {
      if (call < 600) failWith('StoreUnreachable', 'no route');
      return { backups: 1 };
    };
    await play.inWorld({ copyTurn }, async () => {
      const before = await play.env.currentTimeMs();
      const result = await play.run<CopyResult>('copy', { system: uniqueName('sys'), target: 'nas' });
      expect(result.backups).toBe(1);
      expect((await play.env.currentTimeMs()) - before).toBeGreaterThan(2 * DAY_SECONDS * 1000);
    });
  });

  test('a frozen backup: asked for again and again for half a day, without the lock, then restored [T11]', async () => {
    const looks = 50;
    await play.inWorld({}, async (world) => {
      world.stillFrozen = looks;
      const before = await play.env.currentTimeMs();
      const result = await play.run<RestoreResult>('restore', { system: uniqueName('sys'), approve: 'a'.repeat(64) });
      expect(result.outcome).toBe('restored');
      expect(world.count('thawBackup')).toBe(looks);
      expect((await play.env.currentTimeMs()) - before).toBeGreaterThan((DAY_SECONDS / 2.2) * 1000);
      expect(world.names().lastIndexOf('thawBackup')).toBeLessThan(world.names().indexOf('captureGroup'));
    });
  });

  test('a frozen backup and nobody to approve what it costs: refused with the choice, or thawed as said [T11]', async () => {
    await play.inWorld({}, async (world) => {
      world.stillFrozen = 3;
      const system = uniqueName('sys');
      const failure = await failureOf(play.run('restore', { system, mode: 'verify' }));
      expect(failure.type).toBe('ObjectFrozen');
      expect(failure.message).toContain('bulk, standard, expedited');
      expect(world.count('thawBackup')).toBe(0);
      const result = await play.run<RestoreResult>('restore', { system, mode: 'verify', thaw: 'bulk' });
      expect(result.outcome).toBe('verified');
      expect(world.calls.find(({ name }) => name === 'thawBackup')?.input).toMatchObject({
        speed: 'bulk',
        components: ['ledger', 'config'],
      });
    });
  });

  test('it never thaws: the restore gives up long after the time that was promised [T11]', async () => {
    await play.inWorld({}, async (world) => {
      world.stillFrozen = 100_000;
      const failure = await failureOf(play.run('restore', { system: uniqueName('sys'), approve: 'a'.repeat(64) }));
      expect(failure.type).toBe('ObjectFrozen');
      expect(failure.message).toContain('after 48 hours');
      expect(world.stopped).toBe(false);
      expect(world.names()).not.toContain('restoreBeside');
    });
  });

  test('the store never comes back: the backup gives up after hours with the store as the reason', async () => {
    await play.inWorld({ script: { beginCapture: () => failWith('StoreUnreachable', 'no route') } }, async (world) => {
      const failure = await failureOf(play.run('backup', { system: uniqueName('sys'), plan: 'daily' }));
      expect(failure.type).toBe('StoreUnreachable');
      expect(failure.message).toContain('no route');
      expect(world.count('beginCapture')).toBe(55);
    });
  });

  test('a log is received for weeks: histories begin anew with what was known, and a failure is tried again [G2]', async () => {
    const seen: (string | undefined)[] = [];
    let enough = (): void => undefined;
    const turn = (call: number, { mark }: WalTurnInput): WalTurn => {
      seen.push(mark);
      if (call === 1) return { kind: 'mark', mark: '7400/whole' };
      if (call === 10) failWith('WalConflict', 'two servers');
      // More turns than one history holds; time passes only while the end is awaited.
      if (call === 310) enough();
      return { kind: 'over' };
    };
    await play.inWorld({ turn }, async (world) => {
      const before = await play.env.currentTimeMs();
      const handle = await play.start('receiveWal', { system: uniqueName('sys'), component: 'ledger' });
      const first = (await handle.describe()).runId;
      enough = () => void (world.walFacts = undefined);
      await handle.result();
      expect((await play.env.client.workflow.getHandle(handle.workflowId).describe()).runId).not.toBe(first);
      expect(new Set(seen.slice(1))).toEqual(new Set(['7400/whole']));
      expect((await play.env.currentTimeMs()) - before).toBeGreaterThanOrEqual(300_000);
    });
  });
});
