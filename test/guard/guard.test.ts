import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { beginFreeze } from '../../src/docker/freeze.ts';
import { readFired, readJournal } from '../../src/docker/freeze-journal.ts';
import { planFreeze } from '../../src/docker/freeze-plan.ts';
import { ensureGuard } from '../../src/guard/ensure.ts';
import { verdict } from '../../src/guard/judge.ts';
import { dockerCorner } from '../support/docker.ts';
import type { DockerCorner } from '../support/docker.ts';

const HOLDER = fileURLToPath(new URL('./holder.ts', import.meta.url));
const WAIT = { timeout: 60_000, interval: 50 };
const never = new AbortController().signal;

let corner: DockerCorner;
let stateDirectory: string;
let workers: ChildProcess[];
let guards: Set<number>;

beforeAll(async () => {
  corner = await dockerCorner();
});
afterAll(async () => {
  await corner.cleanUp();
});
beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), 'holdfast-guard-'));
  workers = [];
  guards = new Set();
});
afterEach(async () => {
  for (const worker of workers) await killed(worker);
  // A guard ends when its directory is gone; each is waited for, so that none is left behind.
  await rm(stateDirectory, { recursive: true, force: true });
  for (const pid of guards) await vi.waitFor(() => expect(runs(pid)).toBe(false), WAIT);
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function killed(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  worker.kill('SIGKILL');
  await once(worker, 'exit');
}

function startHolder(volume: string, mode: string, engine: string[] = []): ChildProcessByStdio<null, Readable, null> {
  const worker = spawn(process.execPath, [HOLDER, stateDirectory, volume, mode, ...engine], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  workers.push(worker);
  return worker;
}

async function holder(
  volume: string,
  mode: string,
  engine: string[] = [],
): Promise<{ worker: ChildProcess; guard: number }> {
  const worker = startHolder(volume, mode, engine);
  for await (const line of createInterface({ input: worker.stdout })) {
    const guard = Number(/^frozen (\d+)$/.exec(line)?.[1]);
    guards.add(guard);
    return { worker, guard };
  }
  throw new Error('the worker ended before it froze anything');
}

async function journals(): Promise<string[]> {
  const names = await readdir(join(stateDirectory, 'freezes')).catch(() => []);
  return names.filter((name) => !name.endsWith('.tmp'));
}

describe('the guard of a state directory', () => {
  test.each(['pause', 'stop'])(
    'the worker is killed in a freeze (%s): everything runs again without it',
    async (mode) => {
      const volume = await corner.volume();
      const id = await corner.container({ binds: [`${volume}:/data`] });
      const { worker } = await holder(volume, mode);
      expect(await corner.state(id)).toBe(mode === 'pause' ? 'paused' : 'exited');
      await killed(worker);
      await vi.waitFor(async () => expect(await corner.state(id)).toBe('running'), WAIT);
      await vi.waitFor(async () => expect(await journals()).toEqual([]), WAIT);
    },
  );

  test('the worker is killed while a stop is under way: what the engine still stops is started again', async () => {
    const volume = await corner.volume();
    // Deaf to its stop signal, so that the engine waits out the whole patience and then kills it.
    const script = "trap 'echo told > /data/told' TERM; while :; do sleep 1 & wait; done";
    const id = await corner.container({ binds: [`${volume}:/data`], script, stopTimeout: 3 });
    const before = await corner.docker.inspect(id);
    const worker = startHolder(volume, 'stop');
    const data = (await corner.docker.volume(volume))?.path ?? '';
    await vi.waitFor(async () => expect(await readdir(data)).toContain('told'), WAIT);
    expect(await journals()).toContain('held.json');
    const { pid } = await ensureGuard(stateDirectory, never).then((lease) => (lease.close(), lease));
    guards.add(pid);
    await killed(worker);
    await vi.waitFor(async () => {
      const now = await corner.docker.inspect(id);
      expect([now?.state, now?.startedAt === before?.startedAt]).toEqual(['running', false]);
    }, WAIT);
    await vi.waitFor(async () => expect(await journals()).toEqual([]), WAIT);
  });

  test('the engine is away when the worker dies: the guard goes on trying until it is back', async () => {
    const volume = await corner.volume();
    const id = await corner.container({ binds: [`${volume}:/data`] });
    const path = join(stateDirectory, 'engine.sock');
    const { worker } = await holder(volume, 'pause', [`unix://${path}`]);
    await killed(worker);
    await vi.waitFor(async () => {
      expect(await readFile(join(stateDirectory, 'guard.log'), 'utf8')).toContain('no answer from the Docker engine');
    }, WAIT);
    expect(await corner.state(id)).toBe('paused');
    const back = createServer((socket) => {
      const engine = connect('/var/run/docker.sock');
      socket.pipe(engine).pipe(socket);
      for (const one of [socket, engine]) one.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => back.listen(path, resolve));
    await vi.waitFor(async () => expect(await corner.state(id)).toBe('running'), WAIT);
    await vi.waitFor(async () => expect(await journals()).toEqual([]), WAIT);
    back.close();
  });

  test('the budget is over and the worker does nothing: released, and the proof fails', async () => {
    const volume = await corner.volume();
    const id = await corner.container({ binds: [`${volume}:/data`] });
    const guard = await ensureGuard(stateDirectory, never);
    guards.add(guard.pid);
    const intent = await planFreeze(corner.docker, {
      freezeId: 'slow',
      system: 'test',
      mode: 'pause',
      budgetSeconds: 5,
      volumes: [volume],
    });
    const held = await beginFreeze(intent, { docker: corner.docker, stateDirectory, guard, signal: never });
    await vi.waitFor(async () => expect(await corner.state(id)).toBe('running'), WAIT);
    await expect(held.prove()).rejects.toMatchObject({ code: 'FreezeOverBudget' });
    const { beganMonotonicMs = 0 } = (await readJournal(stateDirectory, 'slow')) ?? {};
    await vi.waitFor(async () => {
      expect((await readFired(stateDirectory, 'slow', beganMonotonicMs))?.released).toEqual([id]);
    }, WAIT);
    // By now the operator pauses it for a reason of his own: no longer the business of guard or worker.
    await corner.docker.pause(id);
    await held.release();
    expect(await corner.state(id)).toBe('paused');
    expect(await journals()).toEqual([]);
  });

  test('asked for by several at once: one process; killed: another one takes its place', async () => {
    const leases = await Promise.all([1, 2, 3].map(() => ensureGuard(stateDirectory, never)));
    const [first, second, third] = leases;
    for (const lease of leases) guards.add(lease.pid);
    expect(guards.size).toBe(1);
    const pid = first?.pid ?? 0;
    second?.close();
    third?.close();
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(first?.pid).not.toBe(pid), WAIT);
    guards.add(first?.pid ?? 0);
    expect(runs(first?.pid ?? 0)).toBe(true);
    first?.close();
  });

  test('nothing to guard: it ends by itself, and whoever asks at that moment gets one that stays', async () => {
    vi.stubEnv('HOLDFAST_GUARD_IDLE_MS', '30');
    vi.stubEnv('HOLDFAST_GUARD_INTERVAL_MS', '20');
    try {
      // Again and again in the short time in which the last one is about to end.
      for (let round = 0; round < 6; round++) {
        const lease = await ensureGuard(stateDirectory, never);
        guards.add(lease.pid);
        const { pid } = lease;
        await new Promise((resolve) => setTimeout(resolve, 60));
        expect(runs(pid)).toBe(true);
        lease.close();
        await new Promise((resolve) => setTimeout(resolve, 10 * round));
      }
    } finally {
      vi.unstubAllEnvs();
    }
    for (const pid of guards) await vi.waitFor(() => expect(runs(pid)).toBe(false), WAIT);
  });
});

describe('when a guard releases', () => {
  const journal = {
    format: 1,
    intent: {
      freezeId: 'f',
      system: 's',
      mode: 'pause',
      budgetSeconds: 30,
      volumes: [],
      plannedAtMs: 0,
      containers: [],
    },
    worker: { pid: 7, startTicks: '1', bootId: 'b' },
    beganAtMs: 0,
    beganMonotonicMs: 1000,
    touchedAtMs: { c: 0 },
    notOurs: [],
    released: [],
  } as const;

  test('within the budget of a living worker never, over it or with a dead one at once', () => {
    expect(verdict(journal, { monotonicMs: 30_999, workerAlive: true })).toBeUndefined();
    expect(verdict(journal, { monotonicMs: 31_000, workerAlive: true })).toContain('budget of 30 s');
    expect(verdict(journal, { monotonicMs: 1000, workerAlive: false })).toContain('process 7');
    expect(verdict({ ...journal, touchedAtMs: {} }, { monotonicMs: 99_000, workerAlive: true })).toBeUndefined();
  });
});
