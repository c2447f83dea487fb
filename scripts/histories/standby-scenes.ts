/** Histories of a warm standby: what is restored ahead, and what starts it. */
import { waitingFor } from '../../test/workflows/play.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import { failWith } from '../../test/workflows/world.ts';
import { DIGEST, ended, finished, openIn, type Scene } from './scene.ts';

const AHEAD = { whole: true, prepare: true };

export const STANDBY_SCENES: readonly Scene[] = [
  {
    name: 'standby-done',
    world: { whole: {} },
    act: async (play, world) => {
      const handle = await play.start('standby', { system: uniqueName('sys') });
      await eventually('it is restored ahead', () => world.standby.prepared.length > 0 || undefined);
      world.backupInUse = 'backup-2';
      await eventually('the next, too', async () => {
        await handle.signal('lookAgain');
        return world.count('endPrepare') > 1 || undefined;
      });
      world.standby.wanted = false;
      await handle.signal('lookAgain');
      await handle.result();
      return handle.fetchHistory();
    },
  },
  {
    name: 'standby-open-left',
    world: { whole: {} },
    act: async (play, world) => {
      const handle = await play.start('standby', { system: uniqueName('sys') });
      await eventually('a part was left, and is tried once more', async () => {
        world.standby.prepared = world.standby.prepared.filter(({ name }) => name !== 'config');
        await handle.signal('lookAgain');
        return world.count('endPrepare') > 2 || undefined;
      });
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
  {
    name: 'standby-open-refused',
    world: { whole: {}, script: { checkBeside: () => failWith('CheckFailed') } },
    act: async (play) => {
      const handle = await play.start('standby', { system: uniqueName('sys') });
      await waitingFor(handle, 'operator');
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
  finished('readiness-done', 'readiness', () => ({}), { whole: {} }),
  finished('readiness-rehearsed', 'readiness', () => ({ rehearse: true }), { whole: {} }),
  openIn('readiness-open', 'readiness', 'lookReadiness', {}, { whole: {} }),
  finished('restore-prepared', 'restore', () => AHEAD, { whole: {} }),
  finished('restore-prepare-undone', 'restore', () => AHEAD, {
    whole: {},
    script: { swapIn: (call) => (call === 1 ? failWith('PermissionDenied') : undefined) },
  }),
  openIn('restore-prepare-open', 'restore', 'swapIn', AHEAD, { whole: {} }),
  {
    name: 'restore-starts-prepared',
    world: { whole: {} },
    act: async (play) => {
      const system = uniqueName('sys');
      await play.run('restore', { system, ...AHEAD });
      const handle = await play.start('restore', { system, whole: true, takeover: 2, approve: DIGEST });
      await handle.result();
      return handle.fetchHistory();
    },
  },
];
