/** Histories of missing files that are put back, and of searches for a clean backup. */
import { waitingFor } from '../../test/workflows/play.ts';
import { uniqueName } from '../../test/workflows/stage.ts';
import { MISSING_DIGEST } from '../../test/workflows/world-missing.ts';
import { failWith, type WorldOptions } from '../../test/workflows/world.ts';
import { ended, finished, openIn, type Scene } from './scene.ts';

const ASKED = { component: 'config', paths: 'uploads' };
const NOW = { ...ASKED, approve: MISSING_DIGEST, approvedBy: 'ann' };

function answered(name: string, answer: 'approve' | 'reject' | 'open', world: WorldOptions = {}): Scene {
  return {
    name,
    world,
    act: async (play) => {
      const handle = await play.start('restoreMissing', { system: uniqueName('sys'), ...ASKED });
      await waitingFor(handle, 'approval');
      const history = await handle.fetchHistory();
      if (answer === 'open') {
        await ended(handle);
        return history;
      }
      await handle.executeUpdate(answer, { args: [{ digest: MISSING_DIGEST, by: 'ann', why: 'not today' }] });
      await handle.result().catch(() => undefined);
      return handle.fetchHistory();
    },
  };
}

const SCAN = { command: 'scan' };

export const MISSING_SCENES: readonly Scene[] = [
  finished('cleanPoint-done', 'cleanPoint', () => SCAN),
  finished('cleanPoint-failed', 'cleanPoint', () => SCAN, {
    script: { planCleanPoint: () => failWith('BackupMissing') },
  }),
  openIn('cleanPoint-open', 'cleanPoint', 'lookClean', SCAN),
  finished('restoreMissing-planned', 'restoreMissing', () => ({ ...ASKED, mode: 'plan' })),
  answered('restoreMissing-done', 'approve'),
  answered('restoreMissing-rejected', 'reject'),
  answered('restoreMissing-failed', 'approve', { script: { applyMissing: () => failWith('SourceMissing') } }),
  answered('restoreMissing-open-approval', 'open'),
  openIn('restoreMissing-open-apply', 'restoreMissing', 'applyMissing', NOW),
  finished('restoreMissing-undone', 'restoreMissing', () => ({
    component: 'config',
    undo: '00000000-0000-4000-8000-000000000000',
    approve: MISSING_DIGEST,
    approvedBy: 'ann',
  })),
];
