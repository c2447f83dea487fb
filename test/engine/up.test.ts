import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectEngine, engineTarget, ephemeralEngine, startUp } from '../../src/engine/index.ts';
import type { RunningEngine, UpEvent } from '../../src/engine/index.ts';
import { identityOf, isAlive } from '../../src/engine/process.ts';
import { failAttemptsOfDead } from '../../src/engine/recover.ts';
import { SEARCH_ATTRIBUTES } from '../../src/workflows/contract.ts';
import { temporaryHome } from './home.ts';

const SERVER_ONLY = { hosts: [], workers: false, port: 0, uiPort: false } as const;
const WAIT = { timeout: 60_000, interval: 100 };

let home: ReturnType<typeof temporaryHome>;
let engine: RunningEngine | undefined;

beforeAll(() => {
  home = temporaryHome();
});
afterEach(async () => {
  await engine?.stop();
  engine = undefined;
});
afterAll(() => {
  home[Symbol.dispose]();
});

function serverPid(of: RunningEngine): number {
  const pid = of.processes()['server'];
  if (pid === undefined) throw new Error('no server runs');
  return pid;
}

describe('the engine of one machine', () => {
  it('a first start: everything registered, found by other programs, a second one refused, nothing left after stop', async () => {
    const events: UpEvent[] = [];
    engine = await startUp({ ...SERVER_ONLY, onEvent: (event) => events.push(event) });
    const registered = events.flatMap((event) => (event.kind === 'registered' ? event.searchAttributes : []));
    expect([...registered].sort()).toEqual(Object.values(SEARCH_ATTRIBUTES).sort());

    await using found = await connectEngine();
    expect(found.target).toMatchObject({ from: 'this machine', address: engine.target.address });
    const { config } = await found.connection.workflowService.describeNamespace({ namespace: 'default' });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(90 * 24 * 3600);

    await expect(startUp(SERVER_ONLY)).rejects.toMatchObject({ code: 'EngineRunning' });
    // The refused one must not have harmed the one that runs.
    await found.connection.workflowService.describeNamespace({ namespace: 'default' });

    const server = identityOf(serverPid(engine)) ?? '';
    expect(isAlive(server)).toBe(true);
    await engine.stop();
    expect(isAlive(server)).toBe(false);
    expect(() => engineTarget()).toThrow(expect.objectContaining({ code: 'EngineUnreachable' }) as Error);
  });

  it('the server killed: it is back on the same address and has forgotten nothing it acknowledged', async () => {
    engine = await startUp(SERVER_ONLY);
    const killed = serverPid(engine);
    await using found = await connectEngine();
    for (let number = 0; number < 5; number += 1) {
      await found.client.workflow.start('nobody', { taskQueue: 'nobody', workflowId: `kept-${number}` });
    }
    process.kill(killed, 'SIGKILL');
    await vi.waitFor(async () => {
      for (let number = 0; number < 5; number += 1) {
        const { status } = await found.client.workflow.getHandle(`kept-${number}`).describe();
        expect(status.name).toBe('RUNNING');
      }
    }, WAIT);
    expect(serverPid(engine)).not.toBe(killed);
  });

  it('`up` itself killed: the next one ends the server it left and goes on with its database', async () => {
    const child = spawn(process.execPath, [path.join(import.meta.dirname, 'up-child.ts')], {
      env: process.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const orphan = identityOf(Number(line.toString())) ?? '';
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(orphan)).toBe(true);

    const events: UpEvent[] = [];
    engine = await startUp({ ...SERVER_ONLY, onEvent: (event) => events.push(event) });
    expect(isAlive(orphan)).toBe(false);
    expect(events).toContainEqual({ kind: 'orphans', ended: 1 });
    await using found = await connectEngine();
    expect((await found.client.workflow.getHandle('kept-0').describe()).status.name).toBe('RUNNING');
  });

  it('a worker killed in the middle of a step: the step is begun again at once, not after its time-out', async () => {
    engine = await startUp(SERVER_ONLY);
    await using found = await connectEngine();
    const workflows = path.join(import.meta.dirname, 'story-workflow.ts');
    const startWorker = () =>
      spawn(process.execPath, [path.join(import.meta.dirname, 'story-worker.ts'), found.target.address, workflows], {
        stdio: 'ignore',
      });
    const first = startWorker();
    const story = await found.client.workflow.start('story', { taskQueue: 'story', workflowId: 'story' });
    const stepOf = async () => (await story.describe()).raw.pendingActivities?.[0];
    await vi.waitFor(async () => {
      expect((await stepOf())?.lastWorkerIdentity).toMatch(new RegExp(`^${first.pid ?? 0}@`));
    }, WAIT);
    first.kill('SIGKILL');
    await once(first, 'exit');

    const second = startWorker();
    try {
      expect(await failAttemptsOfDead(found.client, (first.pid ?? 0) + 1)).toEqual([]);
      await vi.waitFor(async () => {
        const failed = await failAttemptsOfDead(found.client, first.pid ?? 0);
        expect(failed).toEqual([{ workflowId: 'story', activity: 'step' }]);
      }, WAIT);
      expect(await story.result()).toBe(2);
    } finally {
      second.kill('SIGKILL');
      await once(second, 'exit');
    }
  });

  it('a database of another server version: refused and left as it is', async () => {
    const file = path.join(home.path, 'engine', 'version.json');
    const before = readFileSync(file);
    writeFileSync(file, JSON.stringify({ server: '1.31.0' }));
    await expect(startUp(SERVER_ONLY)).rejects.toMatchObject({
      code: 'EngineVersion',
      message: expect.stringContaining('1.31.0') as string,
    });
    writeFileSync(file, before);
    engine = await startUp(SERVER_ONLY);
    await using found = await connectEngine();
    expect((await found.client.workflow.getHandle('kept-0').describe()).status.name).toBe('RUNNING');
  });

  it('an engine for one command: there during the work, gone after it, also when the work fails', async () => {
    const server = await ephemeralEngine({ hosts: [], workers: false }, async ({ target }) => {
      expect(engineTarget().address).toBe(target.address);
      await Promise.resolve();
      return target.address;
    });
    expect(server).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(() => engineTarget()).toThrow(/no engine runs/);
    const failing = ephemeralEngine({ hosts: [], workers: false }, () => Promise.reject(new Error('broken work')));
    await expect(failing).rejects.toThrow('broken work');
    expect(() => engineTarget()).toThrow(/no engine runs/);
  });

  it('an engine for one command on a database that holds schedules: none of them fires until `up` is back', async () => {
    const runs = async (): Promise<number> => {
      await using found = await connectEngine();
      const { count } = await found.client.workflow.count("WorkflowType = 'fired'");
      return count;
    };
    engine = await startUp(SERVER_ONLY);
    {
      await using found = await connectEngine();
      const action = {
        type: 'startWorkflow',
        workflowType: 'fired',
        taskQueue: 'nobody',
        workflowId: 'fired',
      } as const;
      const policies = { overlap: 'ALLOW_ALL' } as const;
      await found.client.schedule.create({
        scheduleId: 'each',
        spec: { intervals: [{ every: 1000 }] },
        action,
        policies,
      });
      await vi.waitFor(async () => expect(await runs()).toBeGreaterThan(0), WAIT);
    }
    await engine.stop();
    await ephemeralEngine({ hosts: [], workers: false }, async () => {
      const before = await runs();
      await sleep(3000);
      expect(await runs()).toBe(before);
    });
  });
});
