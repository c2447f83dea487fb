import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import type { FailoverActivities } from '../../src/activities/failover-types.ts';
import type { FailoverPlan, FailoverResult } from '../../src/workflows/contract.ts';
import { answer, failureOf, refusalOf, waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { failWith, untilCancelled, type Script, type World } from './world.ts';
import type { FailoverWorld } from './world-failover.ts';

const play = playOn();
const NO_SCRIPT = { awaitFence: undefined, clearSite: undefined, restoreBeside: undefined, swapIn: undefined };
const OLDER = 'approval of an older backup';
const PREPARED = ['assessSite', 'gatherFailover'];

const run = (world: { failover?: FailoverWorld; script?: Script }, act: (seen: World) => Promise<void>) =>
  play.inWorld({ whole: {}, ...world }, act);

/** As an activity does whose failure no waiting mends. */
function refuse(type: string): never {
  throw ApplicationFailure.create({ type, message: `scripted ${type}`, nonRetryable: true });
}

type RaiseInput = Parameters<FailoverActivities['raiseSite']>[0];

/** What is restored is bad so many times. */
function badUntil(times: number): Script {
  return { restoreBeside: (call) => (call <= times ? failWith('ObjectCorrupt') : undefined) };
}

async function digestOf(system: string, more: object = {}): Promise<string> {
  const { plan } = await play.run<FailoverResult>('failover', { system, mode: 'plan', ...more });
  return plan?.digest ?? '';
}

async function approved(world: World): Promise<FailoverResult> {
  const system = uniqueName('sys');
  const approve = await digestOf(system);
  world.calls.splice(0);
  return play.run<FailoverResult>('failover', { system, approve, approvedBy: 'ann' });
}

describe('a failover', () => {
  test('[M7] the site is down: held, raised, fenced, cleared, restored, let go, in that order, and measured with its waits apart', async () => {
    await run({ failover: { publicCheck: true } }, async (world) => {
      const result = await approved(world);
      expect(result).toMatchObject({
        outcome: 'done',
        ok: true,
        generation: { n: 2, site: 'home' },
        fence: { evidence: 'no lease is left' },
        publicCheck: { ok: true },
      });
      const told = [
        ...PREPARED,
        'holdSite',
        'raiseSite',
        'awaitFence',
        'clearSite',
        'swapIn',
        'releaseSite',
        'checkPublic',
      ];
      const order = world.calls.map(({ name }) => name).filter((name) => told.includes(name));
      expect([...new Set(order)]).toEqual(told);
      expect(result.rto?.waited).toMatchObject({ namesSeconds: 0 });
      expect(world.sites.active).toBe('2 home cleared');
      expect(world.sites.held.size).toBe(0);
      expect(world.sites.reports).toMatchObject([
        { outcome: 'done', approvedBy: 'ann', backups: ['backup-1', 'backup-config'] },
      ]);
      const raised = world.calls.find(({ name }) => name === 'raiseSite')?.input;
      expect(raised).toMatchObject({ n: 2, origin: { generation: 1 }, by: 'ann' });
    });
  });

  test('[M7] it answers, nobody can say, or this site lacks something: refused with the reasons, nothing changed', async () => {
    const worlds: [FailoverWorld, string][] = [
      [{ saw: () => 'answers' }, 'was answered'],
      [{ saw: () => 'blind' }, 'nobody can say that the site is down'],
      [{ gathered: { generation: { unreadable: 'no answer' } } }, 'the authority store: no answer'],
      [{ gathered: { copies: [] } }, 'no backup that this site can reach'],
      [{ gathered: { notReady: ['no Docker'] } }, 'not ready: no Docker'],
      [{ gathered: { generation: { n: 1, site: 'home', cleared: true } } }, 'already belongs to this site'],
    ];
    const failover: FailoverWorld = {};
    await run({ failover }, async (world) => {
      for (const [seen, why] of worlds) {
        Object.assign(failover, { saw: undefined, gathered: undefined }, seen);
        const result = await play.run<FailoverResult>('failover', { system: uniqueName('sys') });
        expect(result.outcome).toBe('refused');
        expect(result.why).toContain(why);
        expect(world.sites.active).toBe('1 away cleared');
        expect(world.count('holdSite')).toBe(0);
      }
    });
  });

  test('a plan is printed and approved by its digest, another digest is refused; meanwhile the site comes back: refused after all', async () => {
    await run({ failover: { saw: (call) => (call < 2 ? 'silent' : 'answers') } }, async (world) => {
      const handle = await play.start('failover', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      const plan = await handle.query<FailoverPlan>('plan');
      expect(plan).toMatchObject({ from: { generation: 1, site: 'away' }, site: 'home', nextGeneration: 2 });
      const other = handle.executeUpdate('approve', { args: [{ digest: plan.restore.digest, by: 'ann' }] });
      expect(await refusalOf(other)).toBe('PlanChanged');
      await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
      expect(await handle.result()).toMatchObject({ outcome: 'refused' });
      expect(world.sites.active).toBe('1 away cleared');
    });
  });

  test('rejected: nothing was changed', async () => {
    await run({}, async (world) => {
      const handle = await play.start('failover', { system: uniqueName('sys') });
      await answer(handle, 'approval', 'reject');
      expect(await handle.result()).toMatchObject({ outcome: 'rejected', why: 'ann rejected the plan: not today' });
      expect(world.sites.active).toBe('1 away cleared');
    });
  });

  test('[M7] down for as long as was declared, with a lease and within the RPO: nobody is asked', async () => {
    const setup = { automaticDownForSeconds: 30 };
    await run({ failover: { setup } }, async (world) => {
      const result = await play.run<FailoverResult>('failover', { system: uniqueName('sys') });
      expect(result).toMatchObject({ outcome: 'done', plan: { approval: 'automatic' } });
      expect(world.sites.active).toBe('2 home cleared');
    });
    await run({ failover: { setup: { ...setup, rpoSeconds: 1 } } }, async () => {
      const handle = await play.start('failover', { system: uniqueName('sys') });
      await waitingFor(handle, 'approval');
      await handle.executeUpdate('reject', { args: [{ by: 'ann' }] });
      expect(await handle.result()).toMatchObject({
        outcome: 'rejected',
        plan: { meetsRpo: false, approval: 'person' },
      });
    });
  });

  test('[M7] any step before the start fails: the generation goes back to the site before, cleared, and nothing is held', async () => {
    const steps: Script[] = [
      { awaitFence: () => refuse('BadInput') },
      { clearSite: () => refuse('StoreDenied') },
      { restoreBeside: (call) => (call === 1 ? failWith('PermissionDenied') : undefined) },
      { swapIn: (call) => (call === 1 ? failWith('PermissionDenied') : undefined) },
    ];
    const script: Script = {};
    await run({ script }, async (world) => {
      for (const step of steps) {
        Object.assign(script, NO_SCRIPT, step);
        const result = await approved(world);
        expect(result).toMatchObject({ outcome: 'rolled-back', ok: false, generation: { n: 3, site: 'away' } });
        expect(world.sites.active).toBe('3 away cleared');
        expect(world.sites.held.size).toBe(0);
        expect(world.swapped.size).toBe(0);
        expect(world.sites.reports).toMatchObject([{ outcome: 'rolled-back' }]);
        world.sites.reset();
      }
      // A raise that failed may still land: its number is taken by the site before.
      Object.assign(script, NO_SCRIPT, { raiseSite: () => refuse('StoreDenied') });
      expect(await approved(world)).toMatchObject({ outcome: 'rolled-back', generation: { n: 2, site: 'away' } });
      expect(world.sites.active).toBe('2 away cleared');
      world.sites.reset();
      Object.assign(script, NO_SCRIPT, { raiseSite: undefined, holdSite: () => refuse('BadInput') });
      expect(await approved(world)).toMatchObject({ outcome: 'rolled-back', generation: { n: 1, site: 'away' } });
      expect(world.sites.active).toBe('1 away cleared');
    });
  });

  test('[M7] two start at the same time: one has the number, the other changes nothing', async () => {
    await run({ failover: { taken: true } }, async (world) => {
      const result = await approved(world);
      expect(result.outcome).toBe('refused');
      expect(result.why).toContain('generation 2 was raised for third');
      expect(world.sites.held.size).toBe(0);
      expect(world.count('takeBack')).toBe(0);
    });
  });

  test('cancelled while it waits for the lease: taken back; the restored system is not healthy: it stays, and a person decides', async () => {
    await run({ script: { awaitFence: untilCancelled } }, async (world) => {
      const system = uniqueName('sys');
      const approve = await digestOf(system);
      const handle = await play.start('failover', { system, approve });
      await eventually('it waits for the lease', () => world.count('awaitFence') > 0 || undefined);
      await handle.cancel();
      await handle.result().catch(() => undefined);
      expect(world.sites.active).toBe('3 away cleared');
      expect(world.sites.held.size).toBe(0);
    });
    await run({ script: { startAfterRestore: () => failWith('Unhealthy') } }, async (world) => {
      const system = uniqueName('sys');
      const approve = await digestOf(system);
      const handle = await play.start('failover', { system, approve });
      const child = play.env.client.workflow.getHandle(`${system}/restore`);
      await eventually('the restore asks', async () => {
        const progress = await child.query<{ waitingFor?: string }>('progress').catch(() => undefined);
        return progress?.waitingFor?.includes('keep or roll back') === true || undefined;
      });
      await child.executeUpdate('approve', { args: [{ digest: 'a'.repeat(64), by: 'ann' }] });
      const failed = await failureOf(handle.result());
      expect(failed.type).toBe('Unhealthy');
      expect(world.sites.active).toBe('2 home cleared');
    });
  });

  test('[M7] names are led here once the system runs; a zone that refuses stays where it was, is told, and takes no other back', async () => {
    const failover: FailoverWorld = { names: 'led' };
    await run({ failover }, async (world) => {
      const led = await approved(world);
      expect(led).toMatchObject({ outcome: 'done', ok: true, names: { ok: true } });
      expect(led.names?.entries?.map(({ standing }) => standing)).toEqual(['here', 'here']);
      world.sites.reset();
      failover.names = 'refused';
      const half = await approved(world);
      expect(half).toMatchObject({ outcome: 'done', ok: false, names: { ok: false } });
      expect(half.names?.entries).toEqual([
        { title: 'zone a', standing: 'here' },
        { title: 'zone b', standing: 'as before' },
      ]);
      expect(half.names?.lines).toEqual([
        'resolver: www is b',
        'zone b: scripted',
        'zone b leads away',
        expect.stringMatching(/^lead what is left by hand: `holdfast dns sys\S* --lead`$/) as string,
      ]);
      expect(world.sites.names).toBe('home');
      expect(world.sites.reports).toMatchObject([{ names: half.names?.entries }]);
      expect(world.count('revertDns')).toBe(0);
    });
  });

  test('[M7] the newest copy is found bad: the generation is kept, an older one is asked for by a digest of its own, and taken under the next', async () => {
    await run({ script: badUntil(1) }, async (world) => {
      const system = uniqueName('sys');
      const approve = await digestOf(system);
      const handle = await play.start('failover', { system, approve, approvedBy: 'ann' });
      await waitingFor(handle, OLDER);
      expect([world.sites.active, world.sites.held.size]).toEqual(['2 home cleared', 1]);
      const plan = await handle.query<FailoverPlan>('plan');
      expect(plan).toMatchObject({
        ...{ from: { generation: 1, site: 'away' }, nextGeneration: 3, copy: { backup: 'backup-1-older-1' } },
        passedOver: [{ backup: 'backup-1', store: 'main', why: 'scripted ObjectCorrupt' }],
      });
      const old = handle.executeUpdate('approve', { args: [{ digest: approve, by: 'bob' }] });
      expect(await refusalOf(old)).toBe('PlanChanged');
      await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'bob' }] });
      const result = (await handle.result()) as FailoverResult;
      expect(result).toMatchObject({ outcome: 'done', ok: true, generation: { n: 3, site: 'home' } });
      expect(result.warnings?.join()).toContain('backup backup-1 of');
      expect([world.sites.active, world.sites.held.size, world.count('awaitFence')]).toEqual(['3 home cleared', 0, 1]);
      const origins = world.calls.filter(({ name }) => name === 'raiseSite').map(({ input }) => input as RaiseInput);
      expect(origins.map(({ origin }) => origin.generation)).toEqual([1, 1]);
      const [first = 0, second = 0] = origins.map(({ origin }) => origin.pointAtMs);
      expect(first - second).toBe(3_600_000);
      expect(world.sites.reports).toMatchObject([
        { approvedBy: 'bob', backups: ['backup-1-older-1', 'backup-config'] },
      ]);
    });
  });

  test('[M7] nobody is asked where the older one meets the declared rule, or where it was said beforehand', async () => {
    const failover: FailoverWorld = { setup: { automaticDownForSeconds: 30 } };
    const script = badUntil(1);
    await run({ failover, script }, async (world) => {
      const alone = await play.run<FailoverResult>('failover', { system: uniqueName('sys') });
      expect(alone).toMatchObject({ outcome: 'done', plan: { approval: 'automatic', nextGeneration: 3 } });
      world.sites.reset();
      Object.assign(failover, { setup: undefined });
      Object.assign(script, badUntil(2));
      const system = uniqueName('sys');
      const approve = await digestOf(system);
      world.calls.splice(0);
      const handle = await play.start('failover', { system, approve, approvedBy: 'ann', fallBacksUnasked: 1 });
      await answer(handle, `${OLDER} (plan 3`, 'approve');
      expect(await handle.result()).toMatchObject({ outcome: 'done', plan: { copy: { backup: 'backup-1-older-2' } } });
      expect(world.sites.active).toBe('4 home cleared');
    });
  });

  test('[M7] the older one is rejected, nobody answers, none is left, or its raise fails: the site before has the system again', async () => {
    const unasked = { fallBacksUnasked: 3 };
    const ways: [object, number, FailoverWorld, Script, string][] = [
      [{}, 3, { setup: { approvalLimitSeconds: 0.3 } }, {}, 'nobody approved the older backup'],
      [unasked, 6, {}, badUntil(9), 'no more than 3 may be passed over'],
      [unasked, 3, {}, { raiseSite: (call) => (call > 1 ? refuse('StoreDenied') : undefined) }, 'StoreDenied'],
      [{}, 3, {}, {}, 'ann rejected the older backup: not today'],
    ];
    const failover: FailoverWorld = {};
    const script: Script = {};
    await run({ failover, script }, async (world) => {
      for (const [more, n, otherwise, broken, why] of ways) {
        Object.assign(failover, { setup: undefined }, otherwise);
        Object.assign(script, { raiseSite: undefined }, badUntil(1), broken);
        const system = uniqueName('sys');
        const approve = await digestOf(system);
        world.calls.splice(0);
        const handle = await play.start('failover', { system, approve, approvedBy: 'ann', ...more });
        if (why.includes('rejected')) await answer(handle, OLDER, 'reject');
        const result = (await handle.result()) as FailoverResult;
        expect(result).toMatchObject({ outcome: 'rolled-back', generation: { n, site: 'away' } });
        expect(result.why).toContain(why);
        expect([world.sites.active, world.sites.held.size]).toEqual([`${n} away cleared`, 0]);
        world.sites.reset();
      }
    });
  });

  test('what makes no sense is refused at once, by name', async () => {
    await run({}, async () => {
      for (const more of [{ attestedBy: 'ann' }, { planned: true, backup: 'backup-1' }, { backOf: 2 }]) {
        const failed = await failureOf(play.run('failover', { system: 'sys', ...more }));
        expect(failed.type).toBe('BadInput');
      }
    });
  });
});
