import { describe, expect, test } from 'vitest';
import type { ReadinessResult, RestoreResult, StandbyResult } from '../../src/workflows/contract.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { timeSkippingServer } from './time-skipping.ts';
import { failWith, type Script, type World } from './world.ts';

const play = playOn(timeSkippingServer);
const DIGEST = 'a'.repeat(64);

/** `at` is called before each look at the system file, with its number. */
async function standBy(
  at: (look: number, world: World) => void,
  script: Script,
  act: (world: World, result: StandbyResult) => void,
): Promise<void> {
  const there: { world?: World } = {};
  const look = (call: number) => {
    if (there.world !== undefined) at(call, there.world);
  };
  await play.inWorld({ whole: {}, script: { ...script, describeStandby: look } }, async (world) => {
    there.world = world;
    act(world, await play.run<StandbyResult>('standby', { system: uniqueName('sys') }));
  });
}

const inputs = (world: World, name: string) =>
  world.calls.filter((call) => call.name === name).map(({ input }) => input as Record<string, unknown>);

describe('a warm standby', () => {
  test('[M7] restores every new backup ahead and starts nothing; only what it had restored itself is not kept', async () => {
    await standBy(
      (look, world) => {
        if (look === 3) world.backupInUse = 'backup-2';
        if (look === 5) world.standby.wanted = false;
      },
      {},
      (world, result) => {
        expect(result.outcome).toBe('stopped');
        const ends = inputs(world, 'endPrepare').map(({ parts }) =>
          (parts as { backup: string }[]).map((one) => one.backup),
        );
        expect(ends).toEqual([
          ['backup-1', 'backup-config'],
          ['backup-2', 'backup-config'],
        ]);
        expect(inputs(world, 'commitRestore').map(({ keep }) => keep)).toEqual([true, true, false, false]);
        expect(world.names()).not.toContain('stopForRestore');
        expect(world.names()).not.toContain('startAfterRestore');
        expect(world.names()).not.toContain('beginCapture');
        expect([...world.besides, ...world.standby.preparing]).toEqual([]);
      },
    );
  });

  test('this site is active, then not any more: nothing is restored ahead before', async () => {
    const begun: number[] = [];
    await standBy(
      (look, world) => {
        world.standby.active = look < 4;
        begun.push(world.count('beginPrepare'));
        if (look === 6) world.standby.wanted = false;
      },
      {},
      (world) => {
        expect(begun).toEqual([0, 0, 0, 0, 1, 1]);
        expect(world.standby.prepared).toHaveLength(2);
      },
    );
  });

  test('what is restored ahead fails its check: put away, tried again ever more seldom, nothing counts as prepared', async () => {
    const script: Script = { checkBeside: () => failWith('CheckFailed', 'torn') };
    const before = await play.env.currentTimeMs();
    await standBy(
      (look, world) => {
        if (look === 4) world.standby.wanted = false;
      },
      script,
      (world) => {
        expect(world.standby.prepared).toEqual([]);
        expect([...world.swapped, ...world.besides, ...world.standby.preparing]).toEqual([]);
      },
    );
    expect((await play.env.currentTimeMs()) - before).toBeGreaterThanOrEqual((1 + 2 + 4) * 60_000);
  });

  test('a part that the system can be without is left each time: the rest is prepared, and it is tried ever more seldom', async () => {
    const tries: number[] = [];
    await standBy(
      (look, world) => {
        // As the hosts keep it: what was left is not among what is prepared.
        world.standby.prepared = world.standby.prepared.filter(({ name }) => name !== 'config');
        tries.push(world.count('endPrepare'));
        if (look === 12) world.standby.wanted = false;
      },
      {},
      (world) => expect(world.standby.prepared).toHaveLength(1),
    );
    // With the rest, by itself, and again after one minute, two and four.
    expect(tries).toEqual([0, 1, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5]);
  });

  test('[M7] a failover of what is prepared only starts; of anything else it restores', async () => {
    await play.inWorld({ whole: {} }, async (world) => {
      const system = uniqueName('sys');
      const ahead = await play.run<RestoreResult>('restore', { system, whole: true, prepare: true });
      expect(ahead.outcome).toBe('prepared');
      const before = world.calls.length;
      const takeover = { system, whole: true, takeover: 2, approve: DIGEST };
      const started = await play.run<RestoreResult>('restore', takeover);
      expect(started).toMatchObject({ outcome: 'restored', whole: { left: [], rto: { objectives: [{}, {}] } } });
      const names = world.names().slice(before);
      expect(names).toEqual(expect.arrayContaining(['preparedThere', 'stopForRestore', 'startAfterRestore']));
      for (const none of ['restoreBeside', 'swapIn', 'beginCapture']) expect(names).not.toContain(none);
      expect(inputs(world, 'startAfterRestore')).toMatchObject([{ alsoMadeBy: ['ahead'] }]);
      // Nothing is restored into a server any more, so that it is started with the rest.
      expect(inputs(world, 'stopForRestore')).toMatchObject([{ all: true, filled: true }]);

      world.backupInUse = 'backup-2';
      const restored = await play.run<RestoreResult>('restore', { ...takeover, approve: 'b'.repeat(64) });
      expect(restored.outcome).toBe('restored');
      expect(world.count('swapIn')).toBe(4);
    });
  });

  test('something runs there, or one swap fails: refused or undone, the stack is let go, and nothing is prepared', async () => {
    const scripts: Script[] = [
      { beginPrepare: () => failWith('NotStandby', 'something of it runs here') },
      { swapIn: (call) => (call === 1 ? failWith('PermissionDenied') : undefined) },
    ];
    for (const script of scripts) {
      await play.inWorld({ whole: {}, script }, async (world) => {
        const run = play.run('restore', { system: uniqueName('sys'), whole: true, prepare: true });
        expect(['NotStandby', 'PermissionDenied']).toContain((await failureOf(run)).type);
        expect(world.standby.prepared).toEqual([]);
        expect([...world.swapped, ...world.besides, ...world.standby.preparing]).toEqual([]);
        expect(world.count('endPrepare')).toBeGreaterThan(0);
      });
    }
  });
});

const asked = (more: object = {}) => ({ system: uniqueName('sys'), ...more });

describe('readiness', () => {
  test('[M7] asked of the site and of each host, judged, written down; nothing live is touched', async () => {
    await play.inWorld({ whole: {} }, async (world) => {
      const result = await play.run<ReadinessResult>('readiness', asked());
      expect(result).toMatchObject({ site: 'home', ok: false, verdict: 'not-ready' });
      const bad = result.checks.filter(({ verdict }) => verdict === 'not-ready');
      // The world's backups are of one day in the past.
      expect(bad.map(({ check }) => check)).toEqual(['backups']);
      for (const none of ['stopForRestore', 'restoreBeside', 'beginCapture']) expect(world.names()).not.toContain(none);
      expect(world.count('writeReport')).toBe(1);
    });
  });

  test('a host is silent, another store holds nothing: told, and the rest is looked at all the same', async () => {
    const script = {
      lookReadiness: () => failWith('DockerUnreachable', 'no engine'),
      planRestore: (call: number) => (call > 1 ? failWith('BackupMissing') : undefined),
    };
    await play.inWorld({ whole: {}, script }, async () => {
      const { checks } = await play.run<ReadinessResult>('readiness', asked());
      const reasons = (name: string) => checks.find(({ check }) => check === name)?.reasons.join();
      expect(reasons('hosts')).toMatch(/alpha does not answer: .*no engine/);
      expect(reasons('backups')).toMatch(/every backup lies at the active site/);
    });
  });

  test('[B9] rehearsed: a drill beside it, measured, with what a failover would take', async () => {
    await play.inWorld({ whole: {} }, async (world) => {
      const result = await play.run<ReadinessResult>('readiness', asked({ rehearse: true }));
      expect(result.rehearsal).toMatchObject({ outcome: 'passed', fenceSeconds: 99 });
      const { restoreSeconds = -1, wouldTakeSeconds } = result.rehearsal ?? {};
      expect(wouldTakeSeconds).toBe(restoreSeconds + 99);
      expect(world.count('clearDrill')).toBeGreaterThan(0);
      expect(world.names()).not.toContain('stopForRestore');
    });
  });
});
