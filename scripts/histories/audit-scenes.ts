/** Histories of the audit log, and of operations that tell it what they do. */
import type { AuditInput } from '../../src/workflows/contract.ts';
import { waitingFor } from '../../test/workflows/play.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import { untilCancelled } from '../../test/workflows/world.ts';
import { PRUNE_DIGEST } from '../../test/workflows/world-prune.ts';
import { DIGEST, ended, finished, openIn, type Scene } from './scene.ts';

const EVENT: Omit<AuditInput, 'system'> = {
  id: '3d1f6f0e-0000-4000-8000-000000000001',
  what: 'approved',
  at: '2026-11-21T02:00:00.000Z',
  operation: 'restore',
  workflowId: 'sys/restore',
  runId: '3d1f6f0e-0000-4000-8000-000000000002',
  digest: DIGEST,
  by: 'ben',
};

export const AUDIT_SCENES: readonly Scene[] = [
  finished('audit-done', 'audit', () => EVENT),
  openIn('audit-open', 'audit', 'recordAudit', EVENT),
  {
    name: 'restore-audited',
    world: {},
    act: async (play) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ben' }] });
      await handle.result();
      return handle.fetchHistory();
    },
  },
  finished('restore-approved-beforehand', 'restore', () => ({ approve: DIGEST, approvedBy: 'ben' })),
  {
    name: 'restore-four-eyes',
    world: { fourEyes: true, script: { swapIn: untilCancelled } },
    act: async (play, world) => {
      const input = { system: uniqueName('sys'), approve: DIGEST, approvedBy: 'ben' };
      const handle = await play.start('restore', input);
      await waitingFor(handle, 'approval');
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ben' }] });
      await eventually('it swaps', () => world.count('swapIn') > 0 || undefined);
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
  {
    name: 'restore-withdrawn',
    world: {},
    act: async (play) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      await ended(handle);
      return handle.fetchHistory();
    },
  },
  finished('restoreRows-audited', 'restoreRows', () => ({
    component: 'config',
    table: 'deposits',
    approve: '2'.repeat(64),
    approvedBy: 'ben',
  })),
  {
    name: 'prune-audited',
    world: { pruneAsks: ['6 of 8 backups of daily would go at once'] },
    act: async (play) => {
      const handle = await play.start('prune', { system: uniqueName('sys'), store: 'nas', graceSeconds: 0.01 });
      await waitingFor(handle, 'approval');
      await handle.executeUpdate('approve', { args: [{ digest: PRUNE_DIGEST, by: 'ben' }] });
      await handle.result();
      return handle.fetchHistory();
    },
  },
  finished('housekeeping-audited', 'housekeeping', () => ({ task: 'old-files' })),
];
