import { describe, expect, test } from 'vitest';
import { CancelledFailure } from '@temporalio/common';
import { activityInfo } from '@temporalio/activity';
import { FAILURES } from '../../src/failures.ts';
import { hostQueue } from '../../src/task-queues.ts';
import type { RestorePlan, RestoreResult, VerifyResult } from '../../src/workflows/contract.ts';
import { failureOf, refusalOf, waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { failWith, untilCancelled, type Script, type World } from './world.ts';

const play = playOn();

const DIGEST = 'a'.repeat(64);

const approved = () => ({ system: uniqueName('sys'), approve: DIGEST, approvedBy: 'ann' });

/** Nothing live differs from before, nothing made for the restore is left, and the stack runs. */
function expectUntouched(world: World): void {
  expect({ swapped: world.swapped.size, besides: world.besides.size, stopped: world.stopped }).toEqual({
    swapped: 0,
    besides: 0,
    stopped: false,
  });
}

describe('restore', () => {
  test('mode plan: the plan comes back and nothing else is done', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<RestoreResult>('restore', { system: uniqueName('sys'), mode: 'plan' });
      expect(result).toMatchObject({ outcome: 'planned', plan: { digest: DIGEST } });
      expect(world.names()).toEqual(['describeSystem', 'planRestore']);
    });
  });

  test('mode verify: restored beside, checked, removed; nothing live is touched and nobody is asked', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<RestoreResult>('restore', { system: uniqueName('sys'), mode: 'verify' });
      expect(result.outcome).toBe('verified');
      expect(result.checks.map(({ component, ok }) => [component, ok])).toEqual([
        ['ledger', true],
        ['config', true],
      ]);
      expect(world.names()).not.toEqual(expect.arrayContaining(['swapIn']));
      expect(world.names()).not.toEqual(expect.arrayContaining(['stopForRestore']));
      expectUntouched(world);
    });
  });

  test('a target elsewhere: restored there and checked, with no approval, stop or swap', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<RestoreResult>('restore', { system: uniqueName('sys'), target: '/elsewhere' });
      expect(result.outcome).toBe('restored');
      expect(world.names().filter((name) => /stop|start|swap|discard/i.test(name))).toEqual([]);
    });
  });

  test('approved by update: safety backup, beside, check, stop, swap, start, check, commit, in that order [M5]', async () => {
    await play.inWorld({ quiesce: 'pause' }, async (world) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      const plan = await handle.query<RestorePlan>('plan');
      await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
      const result = (await handle.result()) as RestoreResult;
      expect(result).toMatchObject({ outcome: 'restored', safetyBackup: 'backup-2' });
      expect(result.aside).toEqual(['/aside/ledger', '/aside/config']);
      expect(world.manifests).toEqual([{ purpose: 'safety', plan: 'safety' }]);
      const steps = world.names().filter((name) => !/describe|plan|Report/.test(name));
      expect(steps).toEqual(
        [
          ...['beginCapture', 'hotPass', 'captureGroup', 'releaseFreeze', 'captureGroup', 'commitCapture'],
          ...['restoreBeside', 'restoreBeside', 'checkBeside', 'checkBeside'],
          ...['stopForRestore', 'swapIn', 'swapIn', 'startAfterRestore'],
          ...['checkLive', 'checkLive', 'commitRestore', 'commitRestore'],
        ].filter((name) => !/plan/i.test(name)),
      );
      expect(world.stopped).toBe(false);
    });
  });

  test('approved by signal while no worker is there: the restore goes on when one is back', async () => {
    await play.inWorld({}, async (_, workers) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      await workers.stop('orchestration');
      await handle.signal('approveSignal', { digest: DIGEST, by: 'ann' });
      await workers.start('orchestration');
      expect(((await handle.result()) as RestoreResult).outcome).toBe('restored');
    });
  });

  test('another digest, no name, no digest: each refused by its code, and the restore still waits', async () => {
    await play.inWorld({}, async (world) => {
      const handle = await play.start('restore', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      const approve = (args: [unknown]) => refusalOf(handle.executeUpdate('approve', { args }));
      expect(await approve([{ digest: 'c'.repeat(64), by: 'ann' }])).toBe('PlanChanged');
      expect(await approve([{ digest: DIGEST }])).toBe('BadInput');
      expect(await approve([{ by: 'ann' }])).toBe('BadInput');
      expect(await approve([null])).toBe('BadInput');
      await handle.signal('approveSignal', { digest: 'c'.repeat(64), by: 'ann' });
      await waitingFor(handle, 'approval');
      expect(world.count('stopForRestore')).toBe(0);
      await handle.executeUpdate('reject', { args: [{ by: 'bob', why: 'wrong day' }] });
      const result = (await handle.result()) as RestoreResult;
      expect(result.outcome).toBe('rejected');
      expect(result.why).toContain('bob');
      expect(result.why).toContain('wrong day');
      expectUntouched(world);
    });
  });

  test('approved beforehand with another digest: PlanChanged, nothing is touched', async () => {
    await play.inWorld({}, async (world) => {
      const failure = await failureOf(play.run('restore', { system: uniqueName('sys'), approve: 'c'.repeat(64) }));
      expect(failure.type).toBe('PlanChanged');
      expectUntouched(world);
    });
  });

  test('the plan is another one once the lock is held: PlanChanged, nothing is touched', async () => {
    const script = {
      planRestore: (call: number) => {
        if (call === 2 && stage !== undefined) stage.backupInUse = 'backup-9';
      },
    };
    let stage: World | undefined;
    await play.inWorld({ script }, async (world) => {
      stage = world;
      const failure = await failureOf(play.run('restore', approved()));
      expect(failure.type).toBe('PlanChanged');
      expect(world.count('restoreBeside')).toBe(0);
      expectUntouched(world);
    });
  });

  test('a new machine without live state: no safety backup, and the result says why', async () => {
    await play.inWorld({ liveExists: false }, async (world) => {
      const result = await play.run<RestoreResult>('restore', approved());
      expect(result.outcome).toBe('restored');
      expect(result.warnings?.join()).toContain('No safety backup');
      expect(world.count('beginCapture')).toBe(0);
    });
  });

  test('the safety backup fails: the restore goes on, and the result says so', async () => {
    const script = { captureGroup: () => failWith('SourceCorrupt', 'the ledger is torn') };
    await play.inWorld({ script }, async (world) => {
      const result = await play.run<RestoreResult>('restore', approved());
      expect(result.outcome).toBe('restored');
      expect(result.warnings?.join()).toContain('the ledger is torn');
      expect(world.count('abandonCapture')).toBe(1);
    });
  });

  test('restored data fails its check: copies removed, nothing stopped, CheckFailed', async () => {
    const script = {
      checkBeside: (call: number) => (call === 2 ? failWith('CheckFailed', 'torn at 4096') : undefined),
    };
    await play.inWorld({ script }, async (world) => {
      const failure = await failureOf(play.run('restore', approved()));
      expect(failure.type).toBe('CheckFailed');
      expect(failure.message).toContain('torn at 4096');
      expect(world.count('discardBeside')).toBe(2);
      expectUntouched(world);
    });
  });

  test('the second swap fails: both are put back in reverse, the stack starts, the copies are removed', async () => {
    const script = { swapIn: (call: number) => (call === 2 ? failWith('PermissionDenied', 'not mine') : undefined) };
    await play.inWorld({ script }, async (world) => {
      const result = await play.run<RestoreResult>('restore', approved());
      expect(result.outcome).toBe('rolled-back');
      expect(result.why).toContain('not mine');
      const undone = world.calls.filter(({ name }) => ['swapBack', 'startAfterRestore'].includes(name));
      const component = (input: unknown) => (input as { beside?: { component: string } }).beside?.component;
      expect(undone.map(({ name, input }) => [name, component(input)])).toEqual([
        ['swapBack', 'config'],
        ['swapBack', 'ledger'],
        ['startAfterRestore', undefined],
      ]);
      expectUntouched(world);
    });
  });

  test('cancelled in the middle of a swap: put back, started, removed, then cancelled', async () => {
    const script = {
      swapIn: async () => {
        await untilCancelled();
      },
    };
    await play.inWorld({ script }, async (world) => {
      const asked = approved();
      const handle = await play.start('restore', asked);
      await eventually('the swap runs', () => world.count('swapIn') > 0 || undefined);
      await handle.cancel();
      await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) as unknown });
      expect(world.count('swapBack')).toBe(1);
      expectUntouched(world);
      expect(await play.lockIsFree(asked.system)).toBe(true);
    });
  });

  test('not healthy after the start and a person rejects: stopped again, put back, started', async () => {
    const script = {
      startAfterRestore: (call: number) => (call <= 3 ? failWith('Unhealthy', 'ledger: health starting') : undefined),
    };
    await play.inWorld({ script }, async (world) => {
      const handle = await play.start('restore', approved());
      await waitingFor(handle, 'keep or roll back');
      expect([...world.swapped]).toEqual(['ledger', 'config']);
      await handle.executeUpdate('reject', { args: [{ by: 'ann' }] });
      expect(((await handle.result()) as RestoreResult).outcome).toBe('rolled-back');
      expectUntouched(world);
    });
  });

  test('not healthy after the start and a person keeps it: what is restored stays, Unhealthy says so', async () => {
    const script = { startAfterRestore: () => failWith('Unhealthy', 'ledger: health starting') };
    await play.inWorld({ script }, async (world) => {
      const handle = await play.start('restore', approved());
      await waitingFor(handle, 'keep or roll back');
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ann' }] });
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('Unhealthy');
      expect(world.count('swapBack')).toBe(0);
      expect(world.count('commitRestore')).toBe(2);
    });
  });

  test('components on two hosts: each host looks at its own, and the plan approved is of what both have seen', async () => {
    const asked: unknown[] = [];
    const script: Script = { lookAtLive: (_, input) => void asked.push(activityInfo().taskQueue, input) };
    await play.inWorld({ configHost: 'beta', script }, async (world) => {
      const { system, ...approval } = approved();
      const result = await play.run<RestoreResult>('restore', { system, ...approval });
      expect(result.outcome).toBe('restored');
      expect(result.plan.warnings).toEqual(['config on beta: looked at']);
      // Once to show the plan, once more when the restore has the system to itself.
      const look = [hostQueue('beta'), { system, components: ['config'] }];
      expect(asked).toEqual([...look, ...look]);
      expect(world.count('planRestore')).toBe(4);
    });
  });

  test('components on two hosts, to another place: nobody asks what lives there', async () => {
    await play.inWorld({ configHost: 'beta' }, async (world) => {
      await play.run('restore', { system: uniqueName('sys'), target: '/elsewhere' });
      expect([world.count('lookAtLive'), world.count('planRestore')]).toEqual([0, 1]);
    });
  });

  test('it fails: the report has code, message and hint; a report that fails too does not hide why', async () => {
    const reports: unknown[] = [];
    const script: Script = {
      restoreBeside: () => failWith('ObjectMissing', 'chunks/ab is gone'),
      writeReport: (_, input) => {
        reports.push(input);
        failWith('DiskFull');
      },
    };
    await play.inWorld({ script }, async (world) => {
      const handle = await play.start('restore', approved());
      expect(await failureOf(handle.result())).toMatchObject({ type: 'ObjectMissing', message: 'chunks/ab is gone' });
      expect(reports[0]).toMatchObject({
        kind: 'restore',
        report: {
          outcome: 'failed',
          failure: { code: 'ObjectMissing', message: 'chunks/ab is gone', hint: FAILURES.ObjectMissing.hint },
        },
      });
      expectUntouched(world);
    });
  });

  test('an unknown component or field: BadInput that lists what there is', async () => {
    await play.inWorld({}, async () => {
      const component = await failureOf(play.run('restore', { system: 'sys', components: 'ledgre' }));
      expect(component.message).toContain('it has ledger, config');
      const field = await failureOf(play.run('restore', { system: 'sys', dryRun: true }));
      expect(field.message).toContain('"dryRun" is not a field');
    });
  });
});

describe('verify', () => {
  test('a whole backup and a damaged one: both are answers', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<VerifyResult>('verify', { system: uniqueName('sys') });
      expect(result).toMatchObject({ backup: 'backup-1', level: 'content', ok: true, objectsChecked: 3 });
      expect(world.names()).toEqual(['describeSystem', 'findBackup', 'verifyBackup', 'writeReport']);
    });
  });

  test('no such backup: BackupMissing', async () => {
    await play.inWorld({ script: { findBackup: () => failWith('BackupMissing') } }, async () => {
      expect((await failureOf(play.run('verify', { system: 'sys', backup: 'nope' }))).type).toBe('BackupMissing');
    });
  });
});
