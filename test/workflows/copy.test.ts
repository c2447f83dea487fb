import { describe, expect, test } from 'vitest';
import { workflowIds, type BackupResult, type CopyResult } from '../../src/workflows/contract.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { failWith, untilCancelled } from './world.ts';

const play = playOn();

const STORES = ['primary', 'nas', 'archive'];

function copyOf(system: string, target: string) {
  return play.env.client.workflow.getHandle(workflowIds.copy(system, target));
}

describe('copy', () => {
  test('several turns until nothing is left: their counts are one result, and one report is written', async () => {
    const copyTurn = (call: number) => ({ left: 3 - call, backups: 2, objects: 10, bytes: 100 });
    await play.inWorld({ copyTurn }, async (world) => {
      const result = await play.run<CopyResult>('copy', { system: uniqueName('sys'), target: 'nas' });
      expect(result).toMatchObject({ target: 'nas', backups: 6, objects: 30, bytes: 300, refused: [] });
      expect(world.count('copyTurn')).toBe(3);
      expect(world.count('writeReport')).toBe(1);
    });
  });

  test('the target refuses for good: the run fails with the code, and says so in its report', async () => {
    const copyTurn = () => failWith('StoreDenied', 'no right to write');
    await play.inWorld({ copyTurn }, async (world) => {
      const failure = await failureOf(play.run('copy', { system: uniqueName('sys'), target: 'nas' }));
      expect(failure).toMatchObject({ type: 'StoreDenied' });
      const report = world.calls.find(({ name }) => name === 'writeReport')?.input;
      expect(report).toMatchObject({ kind: 'copy', report: { outcome: 'failed', failure: { code: 'StoreDenied' } } });
    });
  });

  test('a backup is made while a copy runs: the same run looks again, and no second one begins', async () => {
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    const copyTurn = async (call: number) => {
      if (call === 1) await held;
      return { backups: 1 };
    };
    await play.inWorld({ copyTurn, stores: STORES.slice(0, 2) }, async (world) => {
      const system = uniqueName('sys');
      const running = await play.start('copy', { system, target: 'nas' }, workflowIds.copy(system, 'nas'));
      await eventually('the first turn runs', () => world.count('copyTurn') > 0 || undefined);
      await play.run('backup', { system, plan: 'daily' });
      go();
      expect(await running.result()).toMatchObject({ backups: 2 });
      const { runId } = await copyOf(system, 'nas').describe();
      expect(runId).toBe((await running.describe()).runId);
      expect(world.count('copyTurn')).toBe(2);
    });
  });
});

describe('a backup of a plan with several stores', () => {
  test('[M4] [T2] it ends while every copy still waits for its store, and each copy is a run of its own', async () => {
    await play.inWorld({ copyTurn: untilCancelled, stores: STORES }, async () => {
      const system = uniqueName('sys');
      const result = await play.run<BackupResult>('backup', { system, plan: 'daily' });
      expect(result).toMatchObject({ outcome: 'done', store: 'primary' });
      expect(result.warnings).toBeUndefined();
      for (const target of ['nas', 'archive']) {
        const copy = copyOf(system, target);
        expect((await copy.describe()).status.name).toBe('RUNNING');
        await copy.cancel();
        await copy.result().catch(() => undefined);
      }
    });
  });

  test('the first store is away: the next takes it, the first gets a copy, and the result says why', async () => {
    const chooseStore = () => ({
      store: 'nas',
      passedOver: [{ store: 'primary', why: 'no answer within 15 s', unreachable: true }],
    });
    await play.inWorld({ chooseStore, stores: STORES }, async (world) => {
      const system = uniqueName('sys');
      const result = await play.run<BackupResult>('backup', { system, plan: 'daily' });
      expect(result).toMatchObject({ outcome: 'done', store: 'nas' });
      expect(result.warnings?.join()).toContain('no answer within 15 s');
      const stores = world.calls.flatMap(({ name, input }) =>
        ['beginCapture', 'captureGroup', 'commitCapture', 'verifyBackup'].includes(name)
          ? [(input as { store: string }).store]
          : [],
      );
      expect(new Set(stores)).toEqual(new Set(['nas']));
      expect(world.calls.find(({ name }) => name === 'startCopies')?.input).toMatchObject({
        targets: ['primary', 'archive'],
      });
      for (const target of ['primary', 'archive']) await copyOf(system, target).result();
    });
  });

  test('the copies cannot be started: the backup is done all the same, and its result says what to do', async () => {
    const script = { startCopies: () => failWith('BadInput', 'the engine is in trouble') };
    await play.inWorld({ script, stores: STORES }, async (world) => {
      const system = uniqueName('sys');
      const result = await play.run<BackupResult>('backup', { system, plan: 'daily' });
      expect(result.outcome).toBe('done');
      expect(result.warnings?.join()).toContain(`holdfast copy ${system} nas`);
      expect(world.manifests).toHaveLength(1);
    });
  });
});
