import { describe, expect, test } from 'vitest';
import type { MissingPlan, MissingResult } from '../../src/workflows/contract.ts';
import { failureOf, waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { MISSING_DIGEST } from './world-missing.ts';

const play = playOn();
const asked = (more: object = {}) => ({ system: uniqueName('sys'), component: 'config', ...more });

describe('missing files put back', () => {
  test('a look, nothing missing, another preview than the approved one: nobody is asked and nothing is written', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<MissingResult>('restoreMissing', asked({ mode: 'plan', paths: 'a, b' }));
      expect(result).toMatchObject({ outcome: 'planned', plan: { digest: MISSING_DIGEST, paths: ['a', 'b'] } });
      expect(world.names()).toEqual(['describeSystem', 'planMissing', 'discardMissing']);
      expect(world.calls[1]?.input).toMatchObject({ bring: false });
      world.filesMissing = 0;
      expect(await play.run('restoreMissing', asked())).toMatchObject({ outcome: 'nothing' });
      world.filesMissing = 4;
      const failed = await failureOf(play.run('restoreMissing', asked({ approve: MISSING_DIGEST })));
      expect(failed.type).toBe('PlanChanged');
      expect({ written: world.swapped.size, copies: world.besides.size }).toEqual({ written: 0, copies: 0 });
    });
  });

  test('approved: put back under the lock, and the copies go; a run taken back is approved like any other [B8]', async () => {
    await play.inWorld({}, async (world) => {
      const input = asked({ plan: 'daily' });
      const handle = await play.start('restoreMissing', input);
      await waitingFor(handle, 'approval');
      const plan = await handle.query<MissingPlan>('plan');
      world.backupInUse = 'backup-2';
      await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
      expect(await handle.result()).toMatchObject({ outcome: 'restored', done: { files: 3 } });
      const steps = world.names().filter((name) => !/describe/.test(name));
      expect(steps).toEqual(['planMissing', 'planMissing', 'applyMissing', 'writeReport', 'discardMissing']);
      const [, again] = world.calls.filter(({ name }) => name === 'planMissing');
      expect(again?.input).toMatchObject({ backup: 'backup-1', store: 'main' });
      expect(world.calls.at(-1)?.input).toMatchObject({ keepFiles: true });
      expect(world.besides.size).toBe(0);
      expect(await play.lockIsFree(input.system)).toBe(true);
      const undo = await play.start('restoreMissing', asked({ undo: 'some-run' }));
      await waitingFor(undo, 'approval');
      expect(world.count('applyMissing')).toBe(1);
      await undo.executeUpdate('approve', { args: [{ digest: MISSING_DIGEST, by: 'ann' }] });
      expect(await undo.result()).toMatchObject({ outcome: 'undone', plan: { undoes: 'some-run' } });
      expect(world.count('discardMissing')).toBe(1);
    });
  });
});
