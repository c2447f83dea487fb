/** Histories of what runs for ever: receiving logs, following changes. */
import type { WalTurn } from '../../src/activities/types.ts';
import { workflowIds } from '../../src/workflows/contract.ts';
import { waitingFor } from '../../test/workflows/play.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import { failWith, untilCancelled } from '../../test/workflows/world.ts';
import { DIGEST, ended, type Scene } from './scene.ts';

export const STANDING_SCENES: readonly Scene[] = [
  {
    name: 'followChanges-done',
    world: {},
    act: async (play, world) => {
      const handle = await play.start('followChanges', { system: uniqueName('sys'), plan: 'daily' });
      await eventually('the first backup is made', () => world.manifests.length > 0 || undefined);
      await eventually('it watches again', () => world.count('awaitChange') > 1 || undefined);
      world.watched = false;
      await handle.signal('lookAgain');
      await handle.result();
      return handle.fetchHistory();
    },
  },
  {
    name: 'followChanges-open',
    world: { script: { captureGroup: (call) => (call === 1 ? failWith('SourceEmpty') : undefined) } },
    act: async (play, world) => {
      const handle = await play.start('followChanges', { system: uniqueName('sys'), plan: 'daily' });
      await eventually('the first backup fails', () => world.count('abandonCapture') > 0 || undefined);
      await waitingFor(handle, 'operator');
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
  {
    name: 'receiveWal-done',
    world: { turn: (call) => (call === 1 ? { kind: 'mark', mark: '7400/whole' } : { kind: 'over' }) },
    act: async (play, world) => {
      const handle = await play.start('receiveWal', { system: uniqueName('sys'), component: 'ledger' });
      await eventually('two turns are over', () => world.count('receiveWal') >= 2 || undefined);
      world.walFacts = undefined;
      await handle.result();
      return handle.fetchHistory();
    },
  },
  {
    name: 'receiveWal-open',
    world: { turn: afterAGap },
    act: async (play, world) => {
      const handle = await play.start('receiveWal', { system: uniqueName('sys'), component: 'ledger' });
      await eventually('the base backup is made', () => world.manifests.length > 0 || undefined);
      await eventually('the fifth turn runs', () => world.count('receiveWal') >= 5 || undefined);
      const history = await eventually('the workflow knows', async () => {
        const now = await handle.fetchHistory();
        const done = now.events?.some((event) => Boolean(event.childWorkflowExecutionCompletedEventAttributes));
        return done === true ? now : undefined;
      });
      await ended(handle);
      return history;
    },
  },
  {
    name: 'receiveWal-open-paused',
    world: {},
    act: async (play, world) => {
      const handle = await play.start('receiveWal', { system: uniqueName('sys'), component: 'ledger' });
      await eventually('a turn runs', () => world.count('receiveWal') > 0 || undefined);
      await handle.signal('pauseWal', { by: 'nobody' });
      await waitingFor(handle, 'nobody');
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
  {
    name: 'receiveWal-told',
    world: {},
    act: async (play, world) => {
      const handle = await play.start('receiveWal', { system: uniqueName('sys'), component: 'ledger' });
      await eventually('a turn runs', () => world.count('receiveWal') > 0 || undefined);
      world.walFacts = undefined;
      await handle.signal('lookAgain');
      await handle.result();
      return handle.fetchHistory();
    },
  },
  {
    name: 'restore-log-paused',
    world: { logged: true },
    act: async (play, world) => {
      const system = uniqueName('sys');
      const receiver = await play.start(
        'receiveWal',
        { system, component: 'ledger' },
        workflowIds.receiveWal(system, 'ledger'),
      );
      await eventually('a turn runs', () => world.count('receiveWal') > 0 || undefined);
      const handle = await play.start('restore', { system, approve: DIGEST });
      await handle.result();
      const history = await handle.fetchHistory();
      await eventually('it is received again', () => world.count('receiveWal') > 1 || undefined);
      await ended(receiver);
      return history;
    },
  },
];

/** A first look, a gap, an alarm that comes and goes, and then all is well. */
function afterAGap(call: number): WalTurn | Promise<WalTurn> {
  if (call === 1) return { kind: 'mark', mark: '7400/whole' };
  if (call === 2) return { kind: 'mark', mark: '7400/1:0000000003000000', base: 'the log is missing' };
  if (call === 3) return { kind: 'alarm', alarm: { what: 'held-back', message: 'the slot holds back 5 GiB' } };
  return call === 4 ? { kind: 'alarm' } : untilCancelled();
}
