/** What a schedule starts: the operation under its usual id, beside which a person's own start is not a second one. */
import { describe, expect, test } from 'vitest';
import type { ScheduledResult } from '../../src/workflows/contract.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { eventually } from './stage.ts';
import { failWith, untilCancelled } from './world.ts';

const play = playOn();

const input = (system: string): object => ({
  schedule: 'backup/daily',
  operation: 'backup',
  workflowId: `${system}/backup/daily`,
  system,
  plan: 'daily',
});

describe('[M2] a scheduled run', () => {
  test('the operation runs under its usual id, with its own input, and its outcome is told', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<ScheduledResult>('scheduled', input('sched-1'));
      expect(result).toMatchObject({ outcome: 'done', workflowId: 'sched-1/backup/daily' });
      const handle = play.env.client.workflow.getHandle('sched-1/backup/daily', result.runId);
      expect((await handle.describe()).status.name).toBe('COMPLETED');
      expect(world.count('commitCapture')).toBe(1);
    });
  });

  test('the operation runs already: skipped, saying which; the one that runs is not disturbed', async () => {
    await play.inWorld({ script: { beginCapture: untilCancelled } }, async (world) => {
      const own = await play.start('backup', { system: 'sched-2', plan: 'daily' }, 'sched-2/backup/daily');
      await eventually('it captures', () => world.count('beginCapture') > 0 || undefined);
      const result = await play.run<ScheduledResult>('scheduled', input('sched-2'));
      expect(result).toEqual({
        outcome: 'skipped',
        why: 'sched-2/backup/daily runs already',
        workflowId: 'sched-2/backup/daily',
      });
      expect((await own.describe()).status.name).toBe('RUNNING');
      await own.cancel();
      await own.result().catch(() => undefined);
    });
  });

  test('the operation fails: the run fails with its words and its advice', async () => {
    await play.inWorld({ script: { beginCapture: () => failWith('StoreDenied', 'no entry') } }, async () => {
      const failed = await failureOf(play.run('scheduled', input('sched-3')));
      expect(failed).toMatchObject({ type: 'StoreDenied', message: 'no entry' });
      expect(failed.details?.[0]).toMatchObject({ hint: expect.stringContaining('credentials') as string });
    });
  });

  test('cancelled: the operation is cancelled and cleans up; terminated: it goes on', async () => {
    await play.inWorld({ script: { beginCapture: untilCancelled } }, async (world) => {
      const run = await play.start('scheduled', input('sched-4'));
      await eventually('it captures', () => world.count('beginCapture') > 0 || undefined);
      await run.cancel();
      await run.result().catch(() => undefined);
      const operation = play.env.client.workflow.getHandle('sched-4/backup/daily');
      expect((await operation.describe()).status.name).toBe('CANCELLED');

      const again = await play.start('scheduled', input('sched-4'));
      await eventually('it captures again', () => world.count('beginCapture') > 1 || undefined);
      await again.terminate();
      expect((await operation.describe()).status.name).toBe('RUNNING');
      await operation.cancel();
      await operation.result().catch(() => undefined);
    });
  });

  test('without what to start: refused', async () => {
    await play.inWorld({}, async () => {
      const failed = await failureOf(play.run('scheduled', { system: 'sched-5' }));
      expect(failed).toMatchObject({ type: 'BadInput', message: expect.stringContaining('operation') as string });
    });
  });
});
