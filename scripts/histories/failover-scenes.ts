/** Failovers to the site of the world from one that is lost. */
import { answer, waitingFor } from '../../test/workflows/play.ts';
import { uniqueName } from '../../test/workflows/stage.ts';
import { failWith, type Script, type WorldOptions } from '../../test/workflows/world.ts';
import { ended, finished, openIn, type Scene } from './scene.ts';

/** Down for as long as was declared: nobody is asked. */
const AUTOMATIC: WorldOptions = {
  whole: {},
  failover: { setup: { automaticDownForSeconds: 30 }, publicCheck: true },
};

const FIRST_IS_BAD: Script = { restoreBeside: (call) => (call === 1 ? failWith('ObjectCorrupt') : undefined) };

function answered(name: string, word: 'approve' | 'reject' | 'open'): Scene {
  return {
    name,
    world: { whole: {}, failover: { publicCheck: true } },
    act: async (play) => {
      const handle = await play.start('failover', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      const open = await handle.fetchHistory();
      if (word === 'open') {
        await ended(handle);
        return open;
      }
      await answer(handle, 'approval', word);
      await handle.result();
      return handle.fetchHistory();
    },
  };
}

/** The newest backup is bad, and the older one loses more than goes without a person. */
function older(name: string, word: 'approve' | 'reject' | 'open'): Scene {
  return {
    name,
    world: { whole: {}, failover: {}, script: FIRST_IS_BAD },
    act: async (play) => {
      const handle = await play.start('failover', { system: uniqueName('sys') });
      await answer(handle, 'approval', 'approve');
      await waitingFor(handle, 'approval of an older backup');
      const open = await handle.fetchHistory();
      if (word === 'open') {
        await ended(handle);
        return open;
      }
      await answer(handle, 'approval of an older backup', word);
      await handle.result();
      return handle.fetchHistory();
    },
  };
}

export const FAILOVER_SCENES: readonly Scene[] = [
  answered('failover-done', 'approve'),
  answered('failover-rejected', 'reject'),
  answered('failover-open-approval', 'open'),
  finished('failover-automatic', 'failover', () => ({}), AUTOMATIC),
  finished('failover-planned', 'failover', () => ({ mode: 'plan' }), AUTOMATIC),
  finished('failover-refused', 'failover', () => ({}), { failover: { saw: () => 'answers' } }),
  finished('failover-taken', 'failover', () => ({}), {
    ...AUTOMATIC,
    failover: { ...AUTOMATIC.failover, taken: true },
  }),
  finished('failover-rolled-back', 'failover', () => ({}), {
    ...AUTOMATIC,
    script: { swapIn: (call) => (call === 1 ? failWith('PermissionDenied') : undefined) },
  }),
  finished('failover-names', 'failover', () => ({}), {
    ...AUTOMATIC,
    failover: { ...AUTOMATIC.failover, names: 'led' },
  }),
  finished('failover-names-left', 'failover', () => ({}), {
    ...AUTOMATIC,
    failover: { ...AUTOMATIC.failover, names: 'refused' },
  }),
  openIn(
    'failover-open-names',
    'failover',
    'swapDns',
    {},
    {
      ...AUTOMATIC,
      failover: { ...AUTOMATIC.failover, names: 'led' },
    },
  ),
  older('failover-fell-back', 'approve'),
  older('failover-fell-back-rejected', 'reject'),
  older('failover-open-older', 'open'),
  finished('failover-fell-back-automatic', 'failover', () => ({}), { ...AUTOMATIC, script: FIRST_IS_BAD }),
  openIn('failover-open-fence', 'failover', 'awaitFence', {}, AUTOMATIC),
  openIn('failover-open-restore', 'failover', 'restoreBeside', {}, AUTOMATIC),
];
