import { describe, expect, test } from 'vitest';
import type { RowsPlan, RowsResult } from '../../src/workflows/contract.ts';
import { failureOf, refusalOf, waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { failWith, type World } from './world.ts';

const play = playOn();

/** Of the world's preview with two rows missing. */
const DIGEST = '2'.repeat(64);
const asked = (more: object = {}) => ({ system: uniqueName('sys'), component: 'config', table: 'deposits', ...more });
const approved = (more: object = {}) => asked({ approve: DIGEST, approvedBy: 'ann', ...more });

function expectUntouched(world: World): void {
  expect({ written: world.swapped.size, copies: world.besides.size }).toEqual({ written: 0, copies: 0 });
}

describe('rows put back', () => {
  test('mode plan: compared and removed again, nobody is asked', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<RowsResult>('restoreRows', asked({ mode: 'plan' }));
      expect(result).toMatchObject({ outcome: 'planned', plan: { digest: DIGEST } });
      expect(world.names()).toEqual(['describeSystem', 'bringRows', 'previewRows', 'discardRows']);
      expect(world.calls.at(-1)?.input).toMatchObject({ keepFiles: true });
      expectUntouched(world);
    });
  });

  test('approved: the same backup is compared again under the lock, then written, and the copy goes [B8]', async () => {
    await play.inWorld({}, async (world) => {
      const input = asked({ where: 'user_id = 7', plan: 'daily' });
      const handle = await play.start('restoreRows', input);
      await waitingFor(handle, 'approval');
      expect(await refusalOf(handle.executeUpdate('approve', { args: [{ digest: '3'.repeat(64), by: 'ann' }] }))).toBe(
        'PlanChanged',
      );
      const plan = await handle.query<RowsPlan>('plan');
      world.backupInUse = 'backup-2';
      await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
      expect(await handle.result()).toMatchObject({ outcome: 'restored', added: 2 });
      const steps = world.names().filter((name) => !/describe/.test(name));
      expect(steps).toEqual([
        'bringRows',
        'previewRows',
        'bringRows',
        'previewRows',
        'applyRows',
        'writeReport',
        'discardRows',
      ]);
      const [, again] = world.calls.filter(({ name }) => name === 'bringRows');
      expect(again?.input).toMatchObject({ backup: 'backup-1', store: 'main', where: 'user_id = 7' });
      expect(again?.input).not.toHaveProperty('plan');
      expect(world.besides.size).toBe(0);
      expect(await play.lockIsFree(input.system)).toBe(true);
    });
  });

  test('keepCopy: the copy stays and is named', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<RowsResult>('restoreRows', approved({ keepCopy: true }));
      expect(result).toMatchObject({ outcome: 'restored', copy: '/copy.sqlite' });
      expect(world.count('discardRows')).toBe(0);
    });
  });

  test('nothing is missing: said without asking anybody', async () => {
    const script = { previewRows: () => undefined };
    await play.inWorld({ script }, async (world) => {
      world.rowsMissing = 0;
      const result = await play.run<RowsResult>('restoreRows', asked());
      expect(result).toMatchObject({ outcome: 'nothing', why: expect.stringContaining('none is missing') as string });
      expectUntouched(world);
    });
  });

  test('rejected, or approval of another preview: nothing is written and nothing is left', async () => {
    await play.inWorld({}, async (world) => {
      const handle = await play.start('restoreRows', asked());
      await waitingFor(handle, 'approval');
      await handle.executeUpdate('reject', { args: [{ by: 'ann', why: 'wrong rows' }] });
      expect(await handle.result()).toMatchObject({
        outcome: 'rejected',
        why: expect.stringContaining('wrong rows') as string,
      });
      expect((await failureOf(play.run('restoreRows', asked({ approve: '3'.repeat(64) })))).type).toBe('PlanChanged');
      expectUntouched(world);
    });
  });

  test('other rows are missing once the system is free: PlanChanged, and the new preview can be seen', async () => {
    await play.inWorld({}, async (world) => {
      const handle = await play.start('restoreRows', asked());
      await waitingFor(handle, 'approval');
      world.rowsMissing = 3;
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ann' }] });
      expect((await failureOf(handle.result())).type).toBe('PlanChanged');
      expect((await handle.query<RowsPlan>('plan')).digest).toBe('3'.repeat(64));
      expectUntouched(world);
    });
  });

  test('writing fails for good: told with its code, the copy is removed, a report is left', async () => {
    const script = { applyRows: () => failWith('CheckFailed', 'a trigger said no') };
    await play.inWorld({ script }, async (world) => {
      const failure = await failureOf(play.run('restoreRows', approved()));
      expect([failure.type, failure.message]).toEqual(['CheckFailed', 'a trigger said no']);
      expect(world.calls.find(({ name }) => name === 'writeReport')?.input).toMatchObject({
        kind: 'rows',
        report: { outcome: 'failed', failure: { code: 'CheckFailed' } },
      });
      expectUntouched(world);
    });
  });

  test('a component that is not there, no table: BadInput with what there is', async () => {
    await play.inWorld({}, async () => {
      const wrong = await failureOf(play.run('restoreRows', asked({ component: 'nope' })));
      expect(wrong).toMatchObject({ type: 'BadInput', message: expect.stringContaining('ledger, config') as string });
      expect((await failureOf(play.run('restoreRows', { system: 's', component: 'c' }))).message).toContain(
        '"table" is required',
      );
    });
  });
});
