import { describe, expect, test } from 'vitest';
import { CancelledFailure } from '@temporalio/common';
import { workflowIds, type BackupInput, type BackupResult } from '../../src/workflows/contract.ts';
import { failureOf, waitingFor } from './play.ts';
import { playOn } from './server.ts';
import { eventually, uniqueName } from './stage.ts';
import { failWith, untilCancelled, type World } from './world.ts';

const play = playOn();

function start(input: unknown) {
  return play.start('backup', input);
}

function run(input: BackupInput): Promise<BackupResult> {
  return play.run('backup', input);
}

const input = (): BackupInput => ({ system: uniqueName('sys'), plan: 'daily' });

describe('backup', () => {
  test('nothing goes wrong: one manifest, what was frozen is released, the lock is free, steps in order', async () => {
    await play.inWorld({ quiesce: 'pause' }, async (world) => {
      const asked = input();
      const result = await run(asked);
      expect(result).toMatchObject({ outcome: 'done', backup: 'backup-2', verified: { level: 'presence', ok: true } });
      expect(result).toMatchObject({ readBytes: 20, storedBytes: 10, chunksNew: 2, chunksReused: 4 });
      expect(world.names()).toEqual([
        'describeBackup',
        'chooseStore',
        'beginCapture',
        'hotPass',
        'captureGroup',
        'releaseFreeze',
        'commitCapture',
        'verifyBackup',
        'writeReport',
      ]);
      expect(world.manifests).toEqual([{ purpose: 'backup', plan: 'daily' }]);
      expect(world.held.size).toBe(0);
      expect(await play.lockIsFree(asked.system)).toBe(true);
    });
  });

  test.each([
    ['null', null, '"system" is required; "plan" is required'],
    ['a text', 'm2m', 'takes one JSON object'],
    ['an unknown field', { system: 's', plan: 'p', plna: 'x' }, '"plna" is not a field'],
    ['a path as a name', { system: '../etc', plan: 'p' }, '"system" must consist of'],
    ['a number as text', { system: 's', plan: 'p', waitSeconds: '5' }, '"waitSeconds" must be a number'],
  ])('input that is %s: refused with the fields that are allowed', async (_, given, words) => {
    await play.inWorld({}, async (world) => {
      const failure = await failureOf((await start(given)).result());
      expect(failure.type).toBe('BadInput');
      expect(failure.message).toContain(words);
      expect(failure.message).toContain('Its fields are: system, plan, tag, waitSeconds.');
      expect(world.calls).toEqual([]);
    });
  });

  test('the capture fails for good: released, abandoned, no manifest, the code of the failure at the top', async () => {
    const script = { captureGroup: () => failWith('FreezeOverBudget', 'paused for 61 s of 60 s') };
    await play.inWorld({ quiesce: 'pause', script }, async (world) => {
      const failure = await failureOf(run(input()));
      expect(failure.type).toBe('FreezeOverBudget');
      expect(failure.message).toContain('61 s');
      expect(world.names()).toEqual(expect.arrayContaining(['releaseFreeze', 'abandonCapture']));
      expect(world.count('captureGroup')).toBe(1);
      expect(world.manifests).toEqual([]);
      const report = world.calls.find(({ name }) => name === 'writeReport')?.input;
      expect(report).toMatchObject({ report: { outcome: 'failed', failure: { code: 'FreezeOverBudget' } } });
    });
  });

  test('the store is down for a while: tried again until it answers', async () => {
    const script = {
      commitCapture: (call: number) => {
        if (call < 3) failWith('StoreUnreachable');
      },
    };
    await play.inWorld({ script }, async (world) => {
      expect((await run(input())).outcome).toBe('done');
      expect(world.count('commitCapture')).toBe(3);
    });
  });

  test('verification cannot be done: the backup stays and the result says so', async () => {
    const script = { verifyBackup: () => failWith('StoreDenied', 'no right to read') };
    await play.inWorld({ script }, async (world) => {
      const result = await run(input());
      expect(result.outcome).toBe('done');
      expect(result.verified).toBeUndefined();
      expect(result.warnings?.join()).toContain('no right to read');
      expect(world.manifests).toHaveLength(1);
    });
  });

  test('cancelled inside a freeze: the release comes after the capture has stopped, then the lock is free', async () => {
    const script = {
      captureGroup: async (_: number, given: unknown) => {
        world0?.held.add((given as { freezeId: string }).freezeId);
        await untilCancelled();
      },
    };
    let world0: World | undefined;
    await play.inWorld({ quiesce: 'pause', script }, async (world) => {
      world0 = world;
      const asked = input();
      const handle = await start(asked);
      await eventually('the capture runs', () => world.held.size > 0 || undefined);
      await handle.cancel();
      await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) as unknown });
      expect(world.held.size).toBe(0);
      expect(world.names().indexOf('releaseFreeze')).toBeGreaterThan(world.names().indexOf('captureGroup'));
      expect(world.names()).toContain('abandonCapture');
      expect(await play.lockIsFree(asked.system)).toBe(true);
    });
  });

  test('the same plan runs already: the second run is skipped and says why', async () => {
    const gate = Promise.withResolvers<undefined>();
    await play.inWorld({ script: { captureGroup: () => gate.promise } }, async (world) => {
      const asked = input();
      const first = await start(asked);
      await eventually('the first holds the lock', () => world.count('captureGroup') > 0 || undefined);
      const second = await run(asked);
      expect(second.outcome).toBe('skipped');
      expect(second.why).toContain(first.workflowId);
      gate.resolve(undefined);
      expect(((await first.result()) as BackupResult).outcome).toBe('done');
      expect(world.count('captureGroup')).toBe(1);
    });
  });

  test('another plan runs: waited for, then done; with no patience it is SystemBusy', async () => {
    const gate = Promise.withResolvers<undefined>();
    const script = { captureGroup: (call: number) => (call === 1 ? gate.promise : undefined) };
    await play.inWorld({ script }, async (world) => {
      const { system } = input();
      const first = await start({ system, plan: 'weekly' });
      await eventually('the first holds the lock', () => world.count('captureGroup') > 0 || undefined);
      const impatient = await failureOf(run({ system, plan: 'daily', waitSeconds: 0 }));
      expect(impatient.type).toBe('SystemBusy');
      const patient = await start({ system, plan: 'hourly' });
      await waitingFor(patient, first.workflowId);
      gate.resolve(undefined);
      expect(((await patient.result()) as BackupResult).outcome).toBe('done');
    });
  });

  test('the run that holds the lock is terminated: the server frees the name and the next run works', async () => {
    const gate = Promise.withResolvers<undefined>();
    const script = { captureGroup: (call: number) => (call === 1 ? gate.promise : undefined) };
    await play.inWorld({ script }, async (world) => {
      const asked = input();
      const first = await start(asked);
      await eventually('the first holds the lock', () => world.count('captureGroup') > 0 || undefined);
      await first.terminate();
      await eventually('the lock is free', async () => (await play.lockIsFree(asked.system)) || undefined);
      expect((await run(asked)).outcome).toBe('done');
      gate.resolve(undefined);
    });
  });

  test('the host never comes back from a freeze: the release becomes a workflow of its own, the lock is free', async () => {
    const frozen = Promise.withResolvers<undefined>();
    const script = {
      captureGroup: async (_: number, given: unknown) => {
        world1?.held.add((given as { freezeId: string }).freezeId);
        frozen.resolve(undefined);
        await untilCancelled();
      },
    };
    let world1: World | undefined;
    await play.inWorld({ quiesce: 'pause', hostSilentSeconds: 2, script }, async (world, workers) => {
      world1 = world;
      const asked = input();
      const handle = await start(asked);
      await frozen.promise;
      await workers.stop('urgent');
      await workers.stop('host');
      const failure = await failureOf(handle.result());
      expect(failure.type).toBe('HostSilent');
      expect(await play.lockIsFree(asked.system)).toBe(true);
      const freezeId = [...world.held][0];
      if (freezeId === undefined) throw new Error('nothing was held');
      const left = play.env.client.workflow.getHandle(workflowIds.release(asked.system, freezeId));
      expect((await left.describe()).status.name).toBe('RUNNING');
      await workers.start('urgent');
      expect(await left.result()).toEqual({ released: [freezeId] });
      expect(world.held.size).toBe(0);
    });
  });

  test('the orchestration worker goes away in the middle: the run goes on when it is back', async () => {
    const gate = Promise.withResolvers<undefined>();
    await play.inWorld({ script: { captureGroup: () => gate.promise } }, async (world, workers) => {
      const handle = await start(input());
      await eventually('the capture runs', () => world.count('captureGroup') > 0 || undefined);
      await workers.stop('orchestration');
      gate.resolve(undefined);
      await workers.start('orchestration');
      expect(((await handle.result()) as BackupResult).outcome).toBe('done');
      expect(world.count('captureGroup')).toBe(1);
    });
  });

  test('its only store is away: it waits, and the system is free for other plans', async () => {
    let away = true;
    const script = {
      chooseStore: () => {
        if (away) failWith('StoreUnreachable', 'the share is not mounted');
      },
    };
    await play.inWorld({ script }, async (world) => {
      const system = uniqueName('sys');
      const handle = await play.start('backup', { system, plan: 'daily' });
      await eventually('the store is asked for', () => world.count('chooseStore') > 1 || undefined);
      expect(await play.lockIsFree(system).catch(() => true)).toBe(true);
      away = false;
      expect(await handle.result()).toMatchObject({ outcome: 'done' });
      expect(world.count('captureGroup')).toBeGreaterThan(0);
    });
  });
});
