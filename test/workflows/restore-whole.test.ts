import { defineSearchAttributeKey } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { SEARCH_ATTRIBUTES, type RestoreResult } from '../../src/workflows/contract.ts';
import { failureOf, refusalOf, waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { failWith, GONE_FOR_GOOD, type Script, type World } from './world.ts';
import { balances, health, type WholeWorld } from './world-whole.ts';

const play = playOn();
const DIGEST = 'a'.repeat(64);
const asked = () => ({ system: uniqueName('sys'), whole: true, approve: DIGEST, approvedBy: 'ann' });

const run = (world: { whole?: WholeWorld; script?: Script }, act: (seen: World) => Promise<void>) =>
  play.inWorld({ whole: {}, ...world }, act);

const state = ({ swapped, besides, stopped }: World) => ({ swapped: [...swapped], besides: [...besides], stopped });
const UNTOUCHED = { swapped: [], besides: [], stopped: false };

const NEEDS_OPERATOR = defineSearchAttributeKey(SEARCH_ATTRIBUTES.needsOperator, 'BOOL');

describe('a restore of a whole system', () => {
  test('[M6] the server of a part comes back with the stack: in place, up, filled, and only then the rest is started', async () => {
    await run({ whole: { late: ['ledger'] } }, async (world) => {
      const result = await play.run<RestoreResult>('restore', asked());
      expect(result).toMatchObject({ outcome: 'restored', whole: { left: [] } });
      const told = ['stopForRestore', 'swapIn', 'startServers', 'restoreBeside', 'checkBeside', 'startAfterRestore'];
      const order = world.calls.map(({ name }) => name).filter((name) => told.includes(name));
      expect(order).toEqual([
        ...['restoreBeside', 'checkBeside', 'stopForRestore', 'swapIn'],
        ...['startServers', 'restoreBeside', 'checkBeside', 'swapIn', 'startAfterRestore'],
      ]);
    });
  });

  test('[M6] what is restored into it is bad: taken back while it is up, then the server is stopped and all is as it was', async () => {
    const script = { checkBeside: (call: number) => (call === 2 ? failWith('CheckFailed') : undefined) };
    await run({ whole: { late: ['ledger'] }, script }, async (world) => {
      const result = await play.run<RestoreResult>('restore', asked());
      expect(result.outcome).toBe('rolled-back');
      expect(state(world)).toEqual(UNTOUCHED);
      const undone = ['swapBack', 'discardBeside', 'stopServers', 'startAfterRestore'];
      const order = world.calls.map(({ name }) => name).filter((name) => undone.includes(name));
      expect(order.slice(0, 5)).toEqual(['swapBack', 'discardBeside', 'stopServers', 'swapBack', 'startAfterRestore']);
    });
  });

  test('[M6] its server never answers again: the rest is put back, what is left there is said, a person is needed', async () => {
    await run({ whole: { late: ['ledger'] }, script: GONE_FOR_GOOD }, async (world) => {
      const handle = await play.start('restore', asked());
      const result = (await handle.result()) as RestoreResult;
      expect(result).toMatchObject({ outcome: 'rolled-back', why: expect.stringContaining('scripted') as string });
      expect(result.warnings?.join()).toMatch(
        /ledger could not be put back .the server takes no connections.*next backup/,
      );
      const undone = ['swapBack', 'stopServers', 'startAfterRestore'];
      const order = world.calls.map(({ name }) => name).filter((name) => undone.includes(name));
      expect(order).toEqual(['swapBack', 'stopServers', 'swapBack', 'startAfterRestore']);
      expect([...world.swapped]).toEqual([]);
      expect((await handle.describe()).typedSearchAttributes.get(NEEDS_OPERATOR)).toBe(true);
      const { events } = await handle.fetchHistory();
      const [late, other] = (events ?? [])
        .map(({ activityTaskScheduledEventAttributes: asked }) => asked)
        .filter((asked) => asked?.activityType?.name === 'swapBack');
      expect([late, other].map((asked) => asked?.retryPolicy?.maximumAttempts ?? 0)).toEqual([6, 0]);
    });
    // Of a part that may be left out: the rest comes back without it.
    await run({ whole: { late: ['config'] }, script: GONE_FOR_GOOD }, async () => {
      const result = await play.run<RestoreResult>('restore', asked());
      const left = { name: 'config', why: expect.stringContaining('could not be put back') as string };
      expect(result).toMatchObject({ outcome: 'restored', whole: { left: [left] } });
    });
  });

  test('[M5] each part from its own backup, then validated, reconciled, measured', async () => {
    await run({ whole: { checks: () => [health(true)], reconcile: [balances('same')] } }, async (world) => {
      const result = await play.run<RestoreResult>('restore', asked());
      expect(result).toMatchObject({ outcome: 'restored', whole: { left: [], checks: [{ ok: true }] } });
      const brought = world.calls.filter(({ name }) => name === 'restoreBeside').map(({ input }) => input);
      expect(brought).toMatchObject([
        { component: 'ledger', manifestKey: 'backups/backup-1.json' },
        { component: 'config', manifestKey: 'backups/backup-config.json' },
      ]);
      expect(result.whole?.rto?.objectives).toEqual([
        { of: 'system', objectiveSeconds: 3600, met: true },
        { of: 'tier critical', objectiveSeconds: 1800, met: true },
      ]);
      const names = world.names();
      expect(names.indexOf('runChecks')).toBeGreaterThan(names.indexOf('startAfterRestore'));
      expect(names.indexOf('commitRestore')).toBeGreaterThan(names.indexOf('runReconcile'));
      expect(result.whole?.phases.map(({ name }) => name).slice(-4)).toEqual([
        'validate',
        'reconcile',
        'check what runs',
        'keep the old state aside',
      ]);
    });
  });

  test('[T9] what it can not be without is in no backup: refused before anybody is asked, nothing touched; together without whole: refused', async () => {
    const missing = [{ name: 'ledger', why: 'it has no backup', needed: true }];
    await run({ whole: { missing } }, async (world) => {
      expect(await failureOf(play.run('restore', asked()))).toMatchObject({ type: 'BackupMissing' });
      expect(world.count('beginCapture')).toBe(0);
      for (const more of [{ together: true }, { fallBacks: 1 }]) {
        expect((await failureOf(play.run('restore', { system: 'sys', ...more }))).type).toBe('BadInput');
      }
      expect(state(world)).toEqual(UNTOUCHED);
    });
  });

  test('a part that nobody needs fails while it is restored, checked or swapped: left as it was, the rest is restored', async () => {
    const scripts: Script[] = [
      { restoreBeside: (call) => (call === 2 ? failWith('ObjectMissing', 'a chunk is gone') : undefined) },
      { checkBeside: (call) => (call === 2 ? failWith('CheckFailed', 'torn') : undefined) },
      { swapIn: (call) => (call === 2 ? failWith('PermissionDenied', 'not mine') : undefined) },
    ];
    for (const script of scripts) {
      await run({ script }, async (world) => {
        const result = await play.run<RestoreResult>('restore', asked());
        expect(result.outcome).toBe('restored');
        expect(result.whole?.left.map(({ name }) => name)).toEqual(['config']);
        expect(result.warnings?.join()).toContain('config was left as it was');
        expect(result.aside).toEqual(['/aside/ledger']);
        expect(state(world)).toEqual({ swapped: ['ledger'], besides: [], stopped: false });
      });
    }
  });

  test('[G5] the newest backup turns out bad before anything is stopped: the next older one is another plan, which the old approval does not approve', async () => {
    const scripts: Script[] = [
      { restoreBeside: (call) => (call === 1 ? failWith('ObjectMissing', 'a chunk is gone') : undefined) },
      { checkBeside: (call) => (call === 1 ? failWith('CheckFailed', 'torn') : undefined) },
    ];
    for (const script of scripts) {
      await run({ script }, async (world) => {
        const handle = await play.start('restore', asked());
        await waitingFor(handle, 'approval of an older backup');
        expect(state(world)).toEqual(UNTOUCHED);
        const old = handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ann' }] });
        expect(await refusalOf(old)).toBe('PlanChanged');
        await handle.executeUpdate('approve', { args: [{ digest: '1'.repeat(64), by: 'ann' }] });
        const result = (await handle.result()) as RestoreResult;
        expect(result).toMatchObject({ outcome: 'restored', plan: { whole: { fallBacks: { made: 1, most: 3 } } } });
        expect(result.plan.whole?.passedOver).toMatchObject([{ component: 'ledger', backup: 'backup-1' }]);
        expect(result.warnings?.join()).toContain(
          'backup backup-1 of 2026-11-21T02:00:00.000Z in main is passed over for ledger: ',
        );
        expect(state(world)).toEqual({ swapped: ['ledger', 'config'], besides: [], stopped: false });
        const ids = world.calls.filter(({ name }) => name === 'restoreBeside').map(({ input }) => input);
        expect(new Set(ids.map((input) => (input as { restoreId: string }).restoreId)).size).toBe(2);
      });
    }
  });

  test('every backup is bad, or none but the newest is wanted: it ends after as many as it may pass over, and names them', async () => {
    const script: Script = { restoreBeside: () => failWith('ObjectCorrupt', 'a chunk is damaged') };
    await run({ script }, async (world) => {
      const never = await failureOf(play.run('restore', { ...asked(), fallBacks: 0 }));
      expect(never).toMatchObject({ type: 'ObjectCorrupt' });
      expect(never.message).toContain('no other is to be taken');
      expect(world.count('planRestore')).toBe(2);
      const handle = await play.start('restore', { ...asked(), fallBacks: 2 });
      for (const plan of [1, 2]) {
        await waitingFor(handle, `plan ${plan + 1} of this restore`);
        await handle.executeUpdate('approve', { args: [{ digest: String(plan).repeat(64), by: 'ann' }] });
      }
      const ended = await failureOf(handle.result());
      expect(ended).toMatchObject({ type: 'ObjectCorrupt' });
      expect(ended.message).toContain('no more than 2 may be passed over. Before it: backup backup-1 of');
      expect(state(world)).toEqual(UNTOUCHED);
    });
  });

  test('what is needed fails: everything is as before, also what was swapped in already', async () => {
    const swap: Script = { swapIn: (call) => (call === 1 ? failWith('PermissionDenied', 'not mine') : undefined) };
    await run({ script: swap }, async (world) => {
      expect((await play.run<RestoreResult>('restore', asked())).outcome).toBe('rolled-back');
      expect(state(world)).toEqual(UNTOUCHED);
    });
  });

  test('open again, and a fatal check does not hold: a person rejects, the old state is back and no time is claimed', async () => {
    await run({ whole: { checks: () => [health(false)] } }, async (world) => {
      const handle = await play.start('restore', asked());
      await waitingFor(handle, 'keep or roll back');
      expect([...world.swapped]).toEqual(['ledger', 'config']);
      await handle.executeUpdate('reject', { args: [{ by: 'ann' }] });
      const result = (await handle.result()) as RestoreResult;
      expect(result).toMatchObject({ outcome: 'rolled-back', why: 'its checks do not hold: health: answered 503' });
      expect(result.whole?.rto).toBeUndefined();
      expect(state(world)).toEqual(UNTOUCHED);
    });
  });

  test('a check that only warns, and differences: told, nothing is undone, and a person is asked for', async () => {
    const whole = { checks: () => [health(false, 'warning')], reconcile: [balances('differs')] };
    await run({ whole }, async () => {
      const handle = await play.start('restore', asked());
      const result = (await handle.result()) as RestoreResult;
      expect(result.outcome).toBe('restored');
      expect(result.whole?.reconcile[0]).toMatchObject({ differenceCount: 1, kept: { count: 1 } });
      expect(result.whole?.rto?.objectives.every(({ met }) => met)).toBe(true);
      const { typedSearchAttributes } = await handle.describe();
      expect(typedSearchAttributes.get(NEEDS_OPERATOR)).toBe(true);
    });
  });

  test('the host of the checks does not answer: they do not hold, and say why', async () => {
    const script: Script = { runChecks: () => failWith('PermissionDenied', 'no such right') };
    await run({ script, whole: { checks: () => [] } }, async () => {
      const handle = await play.start('restore', asked());
      await waitingFor(handle, 'keep or roll back');
      await handle.executeUpdate('approve', { args: [{ digest: DIGEST, by: 'ann' }] });
      const result = (await handle.result()) as RestoreResult;
      expect(result.outcome).toBe('restored');
      expect(result.why).toContain('health: it could not be asked: no such right');
    });
  });
});
