/** Restores of whole systems. */
import { waitingFor } from '../../test/workflows/play.ts';
import { uniqueName } from '../../test/workflows/stage.ts';
import { failWith, GONE_FOR_GOOD, type WorldOptions } from '../../test/workflows/world.ts';
import { balances, health } from '../../test/workflows/world-whole.ts';
import { DIGEST, finished, openIn, type Scene } from './scene.ts';

const WHOLE = { whole: true, approve: DIGEST, approvedBy: 'ann' };
const VALIDATED: WorldOptions = { whole: { checks: () => [health(true)], reconcile: [balances('differs')] } };

function unhealthy(name: string, when: 'open' | 'finished'): Scene {
  return {
    name,
    world: { whole: { checks: () => [health(false)] } },
    act: async (play) => {
      const handle = await play.start('restore', { system: uniqueName('sys'), ...WHOLE });
      await waitingFor(handle, 'keep or roll back');
      const open = await handle.fetchHistory();
      await handle.executeUpdate('reject', { args: [{ by: 'ann' }] });
      await handle.result();
      return when === 'open' ? open : handle.fetchHistory();
    },
  };
}

/** The newest backup of the ledger has lost a chunk: the next older one is planned, and waits for an approval of its own. */
function fallenBack(name: string, when: 'open' | 'finished'): Scene {
  return {
    name,
    world: {
      ...VALIDATED,
      script: { restoreBeside: (call) => (call === 1 ? failWith('ObjectMissing', 'a chunk is gone') : undefined) },
    },
    act: async (play) => {
      const handle = await play.start('restore', { system: uniqueName('sys'), ...WHOLE });
      await waitingFor(handle, 'approval of an older backup');
      const open = await handle.fetchHistory();
      await handle.executeUpdate('approve', { args: [{ digest: '1'.repeat(64), by: 'ann' }] });
      await handle.result();
      return when === 'open' ? open : handle.fetchHistory();
    },
  };
}

export const WHOLE_SCENES: readonly Scene[] = [
  fallenBack('restore-whole-fallen-back', 'finished'),
  fallenBack('restore-whole-open-older', 'open'),
  finished('restore-whole-done', 'restore', () => WHOLE, VALIDATED),
  finished('restore-whole-two-hosts', 'restore', () => WHOLE, { ...VALIDATED, configHost: 'beta' }),
  finished('restore-whole-part-left', 'restore', () => WHOLE, {
    ...VALIDATED,
    script: { swapIn: (call) => (call === 2 ? failWith('PermissionDenied') : undefined) },
  }),
  finished('restore-whole-rolled-back', 'restore', () => WHOLE, {
    ...VALIDATED,
    script: { swapIn: (call) => (call === 1 ? failWith('PermissionDenied') : undefined) },
  }),
  finished('restore-whole-late-server', 'restore', () => WHOLE, { whole: { ...VALIDATED.whole, late: ['config'] } }),
  finished('restore-whole-late-rolled-back', 'restore', () => WHOLE, {
    whole: { late: ['ledger'] },
    script: { checkBeside: (call) => (call === 2 ? failWith('CheckFailed') : undefined) },
  }),
  finished('restore-whole-late-stuck', 'restore', () => WHOLE, { whole: { late: ['ledger'] }, script: GONE_FOR_GOOD }),
  openIn('restore-whole-open-late', 'restore', 'startServers', WHOLE, { whole: { late: ['ledger'] } }),
  unhealthy('restore-whole-check-rolled-back', 'finished'),
  unhealthy('restore-whole-open-decision', 'open'),
  openIn('restore-whole-open-swap', 'restore', 'swapIn', WHOLE, VALIDATED),
];
