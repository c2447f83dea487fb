/** Histories of the audit log, and of operations that tell it what they do. */
import type { WorkflowHandle } from '@temporalio/client';
import { waitingFor, type Play } from '../../test/workflows/play.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import { untilCancelled, type World } from '../../test/workflows/world.ts';
import { PRUNE_DIGEST } from '../../test/workflows/world-prune.ts';
import { DIGEST, ended, finished, type Scene } from './scene.ts';

/** Only an operation can hand an event over, so that one is run first. */
async function firstRecord(play: Play, world: World): Promise<WorkflowHandle> {
  const handle = await play.start('restore', { system: uniqueName('sys'), approve: DIGEST, approvedBy: 'ben' });
  await handle.result();
  await eventually('it is told', () => world.audit.calls.length > 0 || undefined);
  const { events } = await handle.fetchHistory();
  const records = (events ?? []).flatMap(({ childWorkflowExecutionStartedEventAttributes: child }) =>
    child?.workflowType?.name === 'audit' ? (child.workflowExecution?.workflowId ?? []) : [],
  );
  // The second is the approval, for which the engine is asked who gave it.
  return play.env.client.workflow.getHandle(records[1] ?? '');
}

export const AUDIT_SCENES: readonly Scene[] = [
  {
    name: 'audit-done',
    world: {},
    act: async (play, world) => {
      const record = await firstRecord(play, world);
      await record.result();
      return record.fetchHistory();
    },
  },
  {
    name: 'audit-open',
    world: { script: { recordAudit: untilCancelled } },
    act: async (play, world) => {
      const record = await firstRecord(play, world);
      const history = await eventually('it writes', async () => {
        const seen = await record.fetchHistory();
        return seen.events?.some(
          (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'recordAudit',
        )
          ? seen
          : undefined;
      });
      return history;
    },
  },
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
  finished('restart-audited', 'restart', () => ({})),
  finished('housekeeping-audited', 'housekeeping', () => ({ task: 'old-files' })),
];
