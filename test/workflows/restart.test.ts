import { describe, expect, test } from 'vitest';
import { workflowIds, type RestartFound, type RestartResult } from '../../src/workflows/contract.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { failWith } from './world.ts';

const play = playOn();

const run = (input: object): Promise<RestartResult> => play.run('restart', { system: uniqueName('sys'), ...input });

describe('restart [M6]', () => {
  test('something is down: started alone on the system, waited for with what depends on it, noted, reported, measured', async () => {
    await play.inWorld({}, async (world) => {
      const system = uniqueName('sys');
      const handle = await play.start('restart', { system });
      const result = (await handle.result()) as RestartResult;
      expect(result).toMatchObject({
        outcome: 'restarted',
        containers: [
          { name: 'sys-ledger-1', service: 'ledger', ok: true, now: 'healthy', log: '/reports/restart/1.log' },
        ],
        dependants: [{ name: 'sys-api-1', ok: true }],
        left: [],
      });
      expect(result.recoveryMs).toBeGreaterThanOrEqual(0);
      expect(result.downMs).toBeGreaterThan(result.recoveryMs ?? 0);
      expect(world.names()).toEqual([
        'describeSystem',
        'findBroken',
        'restartContainers',
        'noteIncidents',
        'writeReport',
      ]);
      expect(world.incidents.notes).toEqual([
        'service/ledger: restart of sys-ledger-1, which has stopped (exit 1): healthy',
      ]);
      expect(await handle.query<RestartFound[]>('restart')).toMatchObject([
        { host: 'alpha', targets: [{ service: 'ledger' }] },
      ]);
      expect(await play.lockIsFree(system)).toBe(true);
    });
  });

  test('it does not help: said, with what to try next, in the incident as well', async () => {
    await play.inWorld({}, async (world) => {
      const result = await run({ service: 'sick' });
      expect(result).toMatchObject({ outcome: 'unhealthy', containers: [{ ok: false, now: 'exited (exit 1)' }] });
      expect(result.next).toContain('holdfast restore');
      expect(result.recoveryMs).toBeUndefined();
      expect(world.incidents.notes[0]).toContain('did not help, exited (exit 1)');
    });
  });

  test('what is held or stopped by intention is left, a name that nobody has is refused', async () => {
    await play.inWorld({}, async (world) => {
      expect(await run({ service: 'held' })).toMatchObject({ outcome: 'nothing', left: [{ why: 'is paused' }] });
      expect(world.count('restartContainers')).toBe(0);
      const refused = await play.start('restart', { system: uniqueName('sys'), service: 'unknown' });
      expect(await failureOf(refused.result())).toMatchObject({ type: 'ContainerMissing' });
    });
  });

  test('an operation holds the system: it is waited for, up to the limit', async () => {
    await play.inWorld({}, async (world) => {
      const system = uniqueName('sys');
      const lock = await play.start(
        'systemLock',
        { operation: 'backup', workflowId: 'x' },
        workflowIds.lock(system, 'home'),
      );
      const refused = await play.start('restart', { system, waitSeconds: 1 });
      expect(await failureOf(refused.result())).toMatchObject({ type: 'SystemBusy' });
      expect(world.count('findBroken')).toBe(0);
      await lock.signal('release');
    });
  });

  test('the incident can not be told: what was started is started', async () => {
    await play.inWorld({ script: { noteIncidents: () => failWith('BadInput') } }, async () => {
      expect(await run({})).toMatchObject({ outcome: 'restarted' });
    });
  });
});
