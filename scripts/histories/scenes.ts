/** What happens in each recorded history. The first word of a name is the workflow's type. */
import { workflowIds } from '../../src/workflows/contract.ts';
import { waitingFor } from '../../test/workflows/play.ts';
import { eventually, uniqueName } from '../../test/workflows/stage.ts';
import { failWith, untilCancelled, type WorldOptions } from '../../test/workflows/world.ts';
import { PRUNE_DIGEST } from '../../test/workflows/world-prune.ts';
import { AUDIT_SCENES } from './audit-scenes.ts';
import { FAILOVER_SCENES } from './failover-scenes.ts';
import { HANDOVER_SCENES } from './handover-scenes.ts';
import { INCIDENT_SCENES } from './incident-scenes.ts';
import { DIGEST, ended, finished, openIn, type Scene } from './scene.ts';
import { MISSING_SCENES } from './missing-scenes.ts';
import { STANDBY_SCENES } from './standby-scenes.ts';
import { STANDING_SCENES } from './standing-scenes.ts';
import { WHOLE_SCENES } from './whole-scenes.ts';

function restoreAnswered(name: string, answer: 'approve' | 'reject' | 'open', world: WorldOptions = {}): Scene {
  return {
    name,
    world,
    act: async (play) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      if (answer === 'open') {
        const history = await handle.fetchHistory();
        await ended(handle);
        return history;
      }
      await handle.executeUpdate(answer, { args: [{ digest: DIGEST, by: 'ann', why: 'not today' }] });
      await handle.result().catch(() => undefined);
      return handle.fetchHistory();
    },
  };
}

function scheduledVerify(): { schedule: string; operation: string; workflowId: string } {
  return { schedule: 'verify', operation: 'verify', workflowId: uniqueName('verify') };
}

const ROWS = { component: 'config', table: 'deposits', where: 'user_id = 7' };
/** Of the world's preview with two rows missing. */
const ROWS_DIGEST = '2'.repeat(64);

function rowsAnswered(name: string, answer: 'approve' | 'reject' | 'open', world: WorldOptions = {}): Scene {
  return {
    name,
    world,
    act: async (play) => {
      const handle = await play.start('restoreRows', { system: uniqueName('sys'), ...ROWS });
      await waitingFor(handle, 'approval');
      const history = await handle.fetchHistory();
      if (answer === 'open') {
        await ended(handle);
        return history;
      }
      await handle.executeUpdate(answer, { args: [{ digest: ROWS_DIGEST, by: 'ann', why: 'not today' }] });
      await handle.result().catch(() => undefined);
      return handle.fetchHistory();
    },
  };
}

function pruneAnswered(name: string, answer: 'approve' | 'reject' | 'open'): Scene {
  return {
    name,
    world: { pruneAsks: ['6 of 8 backups of daily would go at once'] },
    act: async (play) => {
      const handle = await play.start('prune', { system: uniqueName('sys'), store: 'nas', graceSeconds: 0.01 });
      await waitingFor(handle, 'approval');
      const history = await handle.fetchHistory();
      if (answer === 'open') {
        await ended(handle);
        return history;
      }
      await handle.executeUpdate(answer, { args: [{ digest: PRUNE_DIGEST, by: 'ann', why: 'not today' }] });
      await handle.result().catch(() => undefined);
      return handle.fetchHistory();
    },
  };
}

/** The lock of a backup: while it runs, or after it. */
function lock(name: string, when: 'open' | 'finished'): Scene {
  return {
    name,
    world: when === 'open' ? { script: { captureGroup: untilCancelled } } : {},
    act: async (play, world) => {
      const system = uniqueName('sys');
      const handle = await play.start('backup', { system, plan: 'daily' });
      if (when === 'open') await eventually('the capture runs', () => world.count('captureGroup') > 0 || undefined);
      else await handle.result();
      const history = await play.historyOf(workflowIds.lock(system, 'home'));
      if (when === 'open') await ended(handle);
      return history;
    },
  };
}

const BACKUP = { plan: 'daily' };
const NOW = { approve: DIGEST, approvedBy: 'ann' };

export const SCENES: readonly Scene[] = [
  finished('backup-done', 'backup', () => BACKUP, { quiesce: 'pause' }),
  finished('backup-live-done', 'backup', () => ({ ...BACKUP, tag: 'before-upgrade' })),
  finished('backup-failed', 'backup', () => BACKUP, {
    quiesce: 'pause',
    script: { captureGroup: () => failWith('FreezeOverBudget') },
  }),
  finished('backup-refused', 'backup', () => ({ plan: 'daily', colour: 'red' })),
  openIn('backup-open', 'backup', 'captureGroup', BACKUP, { quiesce: 'pause' }),
  {
    name: 'backup-cancelled',
    world: { quiesce: 'pause', script: { captureGroup: untilCancelled } },
    act: async (play, world) => {
      const handle = await play.start('backup', { system: uniqueName('sys'), ...BACKUP });
      await eventually('the capture runs', () => world.count('captureGroup') > 0 || undefined);
      await ended(handle);
      return handle.fetchHistory();
    },
  },
  {
    name: 'backup-waited',
    world: { script: { captureGroup: (call) => (call === 1 ? untilCancelled() : undefined) } },
    act: async (play, world) => {
      const system = uniqueName('sys');
      const first = await play.start('backup', { system, plan: 'weekly' });
      await eventually('the first holds the lock', () => world.count('captureGroup') > 0 || undefined);
      const second = await play.start('backup', { system, plan: 'daily' });
      await waitingFor(second, first.workflowId);
      await ended(first);
      await second.result();
      return second.fetchHistory();
    },
  },
  {
    name: 'backup-skipped',
    world: { script: { captureGroup: untilCancelled } },
    act: async (play, world) => {
      const system = uniqueName('sys');
      const first = await play.start('backup', { system, ...BACKUP });
      await eventually('the first holds the lock', () => world.count('captureGroup') > 0 || undefined);
      const second = await play.start('backup', { system, ...BACKUP });
      await second.result();
      const history = await second.fetchHistory();
      await ended(first);
      return history;
    },
  },
  {
    name: 'backup-copied',
    world: { quiesce: 'pause', stores: ['primary', 'nas'] },
    act: async (play) => {
      const system = uniqueName('sys');
      const handle = await play.start('backup', { system, ...BACKUP });
      await handle.result();
      await eventually('the copy has ended', async () => {
        const events = (await play.historyOf(workflowIds.copy(system, 'nas'))).events ?? [];
        return events.some((event) => Boolean(event.workflowExecutionCompletedEventAttributes)) || undefined;
      });
      return handle.fetchHistory();
    },
  },
  finished('copy-done', 'copy', () => ({ target: 'nas' }), {
    copyTurn: (call) => ({ left: 2 - call, backups: 1, objects: 3, bytes: 30 }),
  }),
  finished('copy-failed', 'copy', () => ({ target: 'nas' }), { script: { copyTurn: () => failWith('StoreDenied') } }),
  openIn('copy-open', 'copy', 'copyTurn', { target: 'nas' }),
  finished('prune-planned', 'prune', () => ({ store: 'nas', dryRun: true })),
  finished('prune-done', 'prune', () => ({ store: 'nas', graceSeconds: 0.01 })),
  finished('prune-kept-locks', 'prune', () => ({ store: 'nas', graceSeconds: 0.01 })),
  finished('prune-failed', 'prune', () => ({ store: 'nas' }), {
    script: { condemnPruned: () => failWith('Untrusted') },
  }),
  openIn('prune-open-sweep', 'prune', 'sweepCondemned', { store: 'nas', graceSeconds: 0.01 }),
  pruneAnswered('prune-approved', 'approve'),
  pruneAnswered('prune-rejected', 'reject'),
  pruneAnswered('prune-open-approval', 'open'),
  finished('monitor-done', 'monitor', () => ({})),
  finished('monitor-host-failed', 'monitor', () => ({}), {
    script: { lookAround: () => failWith('PermissionDenied') },
  }),
  finished('monitor-no-sign-of-life', 'monitor', () => ({}), {
    script: { signOfLife: () => failWith('SecretMissing') },
  }),
  openIn('monitor-open', 'monitor', 'judgeSystem', {}),
  finished('scheduled-done', 'scheduled', scheduledVerify),
  finished('scheduled-failed', 'scheduled', scheduledVerify, {
    script: { findBackup: () => failWith('BackupMissing') },
  }),
  openIn('scheduled-open', 'scheduled', 'verifyBackup', scheduledVerify()),
  {
    name: 'scheduled-skipped',
    world: { script: { verifyBackup: untilCancelled } },
    act: async (play) => {
      const input = { ...scheduledVerify(), system: uniqueName('sys') };
      const verifying = await play.start('verify', { system: input.system }, input.workflowId);
      const handle = await play.start('scheduled', input);
      await handle.result();
      await ended(verifying);
      return handle.fetchHistory();
    },
  },
  finished('verify-done', 'verify', () => ({})),
  openIn('verify-open', 'verify', 'verifyBackup', { level: 'presence' }),
  finished('verifyStore-done', 'verifyStore', () => ({ heal: true })),
  finished('verifyStore-one-failed', 'verifyStore', () => ({}), {
    script: { verifyStore: (call) => (call === 1 ? failWith('StoreDenied') : undefined) },
  }),
  openIn('verifyStore-open', 'verifyStore', 'verifyStore', { store: 'away', level: 'presence' }),
  finished('restore-planned', 'restore', () => ({ mode: 'plan' })),
  finished('restore-verified', 'restore', () => ({ mode: 'verify' })),
  finished('restore-elsewhere', 'restore', () => ({ target: '/elsewhere' })),
  restoreAnswered('restore-done', 'approve', { quiesce: 'pause' }),
  restoreAnswered('restore-rejected', 'reject'),
  restoreAnswered('restore-two-hosts', 'approve', { configHost: 'beta' }),
  {
    name: 'restore-thawed',
    world: {},
    act: async (play, world) => {
      world.stillFrozen = 1;
      const handle = await play.start('restore', { system: uniqueName('sys'), ...NOW });
      await handle.result();
      return handle.fetchHistory();
    },
  },
  {
    name: 'restore-open-thaw',
    world: {},
    act: async (play, world) => {
      world.stillFrozen = 9;
      const handle = await play.start('restore', { system: uniqueName('sys'), mode: 'verify', thaw: 'bulk' });
      await waitingFor(handle, '8 objects to thaw');
      const history = await handle.fetchHistory();
      await ended(handle);
      return history;
    },
  },
  finished('restore-failed', 'restore', () => NOW, { script: { restoreBeside: () => failWith('ObjectMissing') } }),
  restoreAnswered('restore-open-approval', 'open'),
  openIn('restore-open-swap', 'restore', 'swapIn', NOW),
  finished('restore-rolled-back', 'restore', () => NOW, {
    script: { swapIn: (call) => (call === 2 ? failWith('PermissionDenied') : undefined) },
  }),
  {
    name: 'restore-unhealthy-rolled-back',
    world: { script: { startAfterRestore: (call) => (call <= 3 ? failWith('Unhealthy') : undefined) } },
    act: async (play) => {
      const handle = await play.start('restore', { system: uniqueName('sys'), ...NOW });
      await waitingFor(handle, 'keep or roll back');
      await handle.executeUpdate('reject', { args: [{ by: 'ann' }] });
      await handle.result();
      return handle.fetchHistory();
    },
  },
  finished('restoreRows-planned', 'restoreRows', () => ({ ...ROWS, mode: 'plan' })),
  rowsAnswered('restoreRows-done', 'approve'),
  rowsAnswered('restoreRows-rejected', 'reject'),
  rowsAnswered('restoreRows-failed', 'approve', { script: { applyRows: () => failWith('PlanChanged') } }),
  rowsAnswered('restoreRows-open-approval', 'open'),
  openIn('restoreRows-open-apply', 'restoreRows', 'applyRows', { ...ROWS, approve: ROWS_DIGEST, approvedBy: 'ann' }),
  ...MISSING_SCENES,
  ...AUDIT_SCENES,
  ...INCIDENT_SCENES,
  lock('systemLock-done', 'finished'),
  lock('systemLock-open', 'open'),
  finished('releaseFreeze-done', 'releaseFreeze', () => ({ host: 'alpha', freezeId: 'f-0' })),
  {
    name: 'releaseFreeze-open',
    world: {},
    act: async (play, _, workers) => {
      await workers.stop('urgent');
      const handle = await play.start('releaseFreeze', { system: uniqueName('sys'), host: 'alpha' });
      const history = await eventually('the release is asked for', async () => {
        const now = await handle.fetchHistory();
        return (now.events?.length ?? 0) >= 5 ? now : undefined;
      });
      await workers.start('urgent');
      await handle.result();
      return history;
    },
  },
  finished('checklist-done', 'checklist', () => ({ list: 'monthly' })),
  openIn('checklist-open', 'checklist', 'goThrough', { list: 'monthly' }),
  finished('drill-planned', 'drill', () => ({ mode: 'plan' })),
  finished('drill-done', 'drill', () => ({ kind: 'weekly' }), { configHost: 'beta' }),
  finished('drill-bad-check', 'drill', () => ({}), {
    script: { checkScratch: () => failWith('CheckFailed') },
  }),
  finished('drill-fresh', 'drill', () => ({ freshBackup: true }), {
    drill: { freshPlans: ['daily'], tellBeforeSeconds: 0.05 },
  }),
  finished('drill-stack', 'drill', () => ({ kind: 'weekly' }), { drill: { stack: 'config' } }),
  openIn('drill-open', 'drill', 'restoreScratch', {}),
  finished('housekeeping-done', 'housekeeping', () => ({ task: 'logs' })),
  finished('housekeeping-planned', 'housekeeping', () => ({ task: 'logs', dryRun: true })),
  openIn('housekeeping-open', 'housekeeping', 'housekeep', { task: 'logs' }),
  ...WHOLE_SCENES,
  ...FAILOVER_SCENES,
  finished('restart-done', 'restart', () => ({})),
  finished('restart-unhealthy', 'restart', () => ({ service: 'sick' })),
  finished('restart-left', 'restart', () => ({ service: 'held' })),
  finished('restart-unknown', 'restart', () => ({ service: 'unknown' })),
  openIn('restart-open', 'restart', 'restartContainers', {}),
  ...STANDBY_SCENES,
  ...HANDOVER_SCENES,
  ...STANDING_SCENES,
];
