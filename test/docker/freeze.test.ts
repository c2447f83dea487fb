import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, test, vi } from 'vitest';
import { bootClockMs } from '../../src/docker/boot-clock.ts';
import { writeDurably } from '../../src/docker/durable-file.ts';
import { beginFreeze } from '../../src/docker/freeze.ts';
import { readJournal, writeJournal } from '../../src/docker/freeze-journal.ts';
import { leftFreezes, releaseFreeze } from '../../src/docker/freeze-left.ts';
import { planFreeze } from '../../src/docker/freeze-plan.ts';
import type { FreezeScope } from '../../src/docker/freeze-plan.ts';
import { ownIdentity } from '../../src/docker/process-identity.ts';
import type { DockerHost, HeldFreeze } from '../../src/docker/types.ts';
import { dockerCorner } from '../support/docker.ts';
import type { DockerCorner } from '../support/docker.ts';

// The guard has tests of its own; here nobody shall release in the freeze's place.
const NO_GUARD = { pid: 0, close: () => undefined };
const LONG = 600;

let corner: DockerCorner;
let stateDirectory: string;
const held: HeldFreeze[] = [];

beforeAll(async () => {
  corner = await dockerCorner();
  stateDirectory = await mkdtemp(join(tmpdir(), 'holdfast-freeze-'));
});

afterEach(async () => {
  for (const freeze of held.splice(0)) await freeze.release();
});

afterAll(async () => {
  await corner.cleanUp();
  await rm(stateDirectory, { recursive: true, force: true });
});

let count = 0;
function scope(more: Partial<FreezeScope>): FreezeScope {
  return { freezeId: `f${++count}`, system: 'test', mode: 'pause', budgetSeconds: LONG, ...more };
}

async function freeze(
  wanted: FreezeScope,
  signal = new AbortController().signal,
  docker = corner.docker,
): Promise<HeldFreeze> {
  const intent = await planFreeze(docker, wanted);
  const begun = await beginFreeze(intent, { docker, stateDirectory, guard: NO_GUARD, signal });
  held.push(begun);
  return begun;
}

async function volumeWithUser(options: { stopTimeout?: number } = {}): Promise<{ volume: string; id: string }> {
  const volume = await corner.volume();
  return { volume, id: await corner.container({ binds: [`${volume}:/data`], ...options }) };
}

describe('a freeze that holds', () => {
  test('[M2] writers of a volume are paused, proved, released; the downtime is told; nothing is left on disk', async () => {
    const { volume, id } = await volumeWithUser();
    const reader = await corner.container({ binds: [`${volume}:/data:ro`] });
    const stranger = await corner.container();
    const begun = await freeze(scope({ volumes: [volume] }));
    expect(await Promise.all([id, reader, stranger].map(corner.state))).toEqual(['paused', 'running', 'running']);
    expect(await readJournal(stateDirectory, begun.intent.freezeId)).toMatchObject({ intent: begun.intent });
    await begun.prove();
    const record = await begun.release();
    expect(await begun.release()).toEqual(record);
    expect(record).toMatchObject({ mode: 'pause', containers: [expect.stringContaining(corner.id)] });
    expect(record.downtimeMs).toBeGreaterThan(0);
    expect(await corner.state(id)).toBe('running');
    expect(await readdir(join(stateDirectory, 'freezes'))).toEqual([]);
  });

  test('[M2] a whole project stops dependents first and starts them last, within one stop', async () => {
    const project = `p${corner.id}`;
    const labels = (service: string, needs = ''): Record<string, string> => ({
      'com.docker.compose.project': project,
      'com.docker.compose.service': service,
      'com.docker.compose.depends_on': needs,
    });
    const ledger = await corner.container({ labels: labels('ledger') });
    const web = await corner.container({ labels: labels('web', 'api:service_started:false') });
    const api = await corner.container({ labels: labels('api', 'ledger:service_healthy:false') });
    const begun = await freeze(scope({ mode: 'stop', projects: [project] }));
    expect(begun.intent.containers.map(({ id, level }) => [id, level])).toEqual([
      [web, 0],
      [api, 1],
      [ledger, 2],
    ]);
    expect(await Promise.all([ledger, api, web].map(corner.state))).toEqual(['exited', 'exited', 'exited']);
    await begun.prove();
    expect((await begun.release()).mode).toBe('stop');
    const started = await Promise.all([ledger, api, web].map((id) => corner.docker.inspect(id)));
    expect(started.map((facts) => facts?.state)).toEqual(['running', 'running', 'running']);
    const times = started.map((facts) => facts?.startedAt ?? '');
    expect(times).toEqual([...times].sort());
  });

  test('what the operator had paused or stopped stays so', async () => {
    const { volume, id } = await volumeWithUser();
    const paused = await corner.container({ binds: [`${volume}:/data`] });
    const stopped = await corner.container({ binds: [`${volume}:/data`], started: false });
    await corner.docker.pause(paused);
    const begun = await freeze(scope({ volumes: [volume] }));
    expect(begun.intent.containers.map((container) => container.id)).toEqual([id]);
    await begun.prove();
    await begun.release();
    expect(await Promise.all([id, paused, stopped].map(corner.state))).toEqual(['running', 'paused', 'created']);
  });

  test('names that nobody has, and containers that a stop would remove, are refused before anything is touched', async () => {
    const missing = planFreeze(corner.docker, scope({ volumes: [`hf-${corner.id}-none`] }));
    await expect(missing).rejects.toMatchObject({ code: 'VolumeMissing' });
    const nobody = planFreeze(corner.docker, scope({ names: [`hf-${corner.id}-none`] }));
    await expect(nobody).rejects.toMatchObject({ code: 'ContainerMissing' });
    const volume = await corner.volume();
    const fleeting = await corner.container({ binds: [`${volume}:/data`], autoRemove: true });
    const stop = planFreeze(corner.docker, scope({ mode: 'stop', volumes: [volume] }));
    await expect(stop).rejects.toMatchObject({ code: 'BadInput' });
    expect(await corner.state(fleeting)).toBe('running');
  });
});

describe('a freeze at a site that runs under a lease', () => {
  it.each([
    [1_000_000, 'running'],
    [0, 'paused'],
  ])('the lease goes on for %i ms when it is released: the container is %s', async (leftMs, state) => {
    const { volume, id } = await volumeWithUser();
    const lease = join(stateDirectory, 'lease.json');
    const begun = await freeze(scope({ volumes: [volume], lease }));
    await writeDurably(lease, { bootId: ownIdentity().bootId, heldUntilMs: bootClockMs() + leftMs });
    await begun.release();
    expect(await corner.state(id)).toBe(state);
    expect(await readdir(join(stateDirectory, 'freezes'))).toEqual([]);
  });

  it.each(['lease', 'believed'] as const)(
    'the right to run ends while it is released (%s): what was not started yet stays down, and that is told',
    async (kind) => {
      const project = `p${corner.id}-${kind}`;
      const labels = (service: string, needs = ''): Record<string, string> => ({
        'com.docker.compose.project': project,
        'com.docker.compose.service': service,
        'com.docker.compose.depends_on': needs,
      });
      const ledger = await corner.container({ labels: labels('ledger') });
      const api = await corner.container({ labels: labels('api', 'ledger:service_started:false') });
      const file = join(stateDirectory, `${kind}.json`);
      const write = (own: boolean): Promise<void> =>
        kind === 'lease'
          ? writeDurably(file, { bootId: ownIdentity().bootId, heldUntilMs: own ? bootClockMs() + 1_000_000 : 0 })
          : writeDurably(file, { n: own ? 1 : 2, site: own ? 'frankfurt' : 'ohio' });
      await write(true);
      const right = kind === 'lease' ? { lease: file } : { believed: { file, site: 'frankfurt' } };
      const intent = await planFreeze(corner.docker, scope({ mode: 'stop', projects: [project], ...right }));
      // An engine that takes so long to start one that the other may not run any more.
      const slow: DockerHost = {
        ...corner.docker,
        start: async (id) => {
          await corner.docker.start(id);
          await write(false);
        },
      };
      const told: string[] = [];
      const options = { docker: slow, stateDirectory, guard: NO_GUARD, signal: new AbortController().signal };
      const begun = await beginFreeze(intent, { ...options, onRefused: (why) => told.push(why) });
      await begun.release();
      expect(await Promise.all([ledger, api].map(corner.state))).toEqual(['running', 'exited']);
      expect(told).toEqual([
        kind === 'lease' ? 'the site guard of this machine holds no lease' : 'generation 2 belongs to the site ohio',
      ]);
      expect(await readdir(join(stateDirectory, 'freezes'))).toEqual([]);
    },
  );
});

describe('a freeze that is broken', () => {
  async function broken(begun: HeldFreeze, code = 'FreezeBroken'): Promise<void> {
    // Events travel on a connection of their own, so the proof may still pass for a moment.
    await vi.waitFor(async () => expect(begun.prove()).rejects.toMatchObject({ code }), { timeout: 20_000 });
    await begun.release();
  }

  test('somebody unpauses and pauses again: its state looks the same, but the proof fails, and it stays his', async () => {
    const { volume, id } = await volumeWithUser();
    const begun = await freeze(scope({ volumes: [volume] }));
    await corner.docker.unpause(id);
    await corner.docker.pause(id);
    await broken(begun);
    expect(await corner.state(id)).toBe('paused');
    await corner.docker.unpause(id);
  });

  test('a container is killed, or another one starts to write: the proof fails', async () => {
    const { volume, id } = await volumeWithUser();
    const first = await freeze(scope({ volumes: [volume] }));
    await corner.container({ binds: [`${volume}:/data`] });
    await broken(first);
    const second = await freeze(scope({ volumes: [volume] }));
    await corner.docker.removeContainer(id);
    await broken(second);
  });

  test('over its budget: reading is told to stop before the limit, and the proof fails', async () => {
    const { volume, id } = await volumeWithUser();
    const begun = await freeze(scope({ volumes: [volume], budgetSeconds: 5 }));
    await vi.waitFor(() => expect(begun.signal.aborted).toBe(true), { timeout: 20_000 });
    expect(begun.signal.reason).toMatchObject({ code: 'FreezeOverBudget' });
    await broken(begun, 'FreezeOverBudget');
    expect(await corner.state(id)).toBe('running');
  });

  test('somebody else was quicker to pause: the freeze fails, releases the others and leaves his alone', async () => {
    const volume = await corner.volume();
    const ours = await corner.container({ binds: [`${volume}:/data`] });
    const his = await corner.container({ binds: [`${volume}:/data`] });
    const late: DockerHost = {
      ...corner.docker,
      pause: async (id) => {
        if (id === his) await corner.docker.pause(id);
        await corner.docker.pause(id);
      },
    };
    const begun = freeze(scope({ volumes: [volume] }), undefined, late);
    await expect(begun).rejects.toMatchObject({ code: 'FreezeBroken' });
    expect(await Promise.all([ours, his].map(corner.state))).toEqual(['running', 'paused']);
    await corner.docker.unpause(his);
  });

  test('cancelled while it begins: everything runs when the caller hears of it', async () => {
    const volume = await corner.volume();
    const ids = [
      await corner.container({ binds: [`${volume}:/data`] }),
      await corner.container({ binds: [`${volume}:/data`] }),
    ];
    const cancel = new AbortController();
    const slow: DockerHost = {
      ...corner.docker,
      pause: async (id) => {
        await corner.docker.pause(id);
        cancel.abort(new Error('cancelled'));
      },
    };
    await expect(freeze(scope({ volumes: [volume] }), cancel.signal, slow)).rejects.toThrow('cancelled');
    expect(await Promise.all(ids.map(corner.state))).toEqual(['running', 'running']);
    expect(await leftFreezes(stateDirectory)).toEqual([]);
  });
});

describe('a freeze that a dead worker left', () => {
  /** As if the process that holds it had been killed: its journal is all that is left. */
  async function orphan(wanted: FreezeScope): Promise<HeldFreeze> {
    const intent = await planFreeze(corner.docker, wanted);
    const begun = await beginFreeze(intent, {
      docker: corner.docker,
      stateDirectory,
      guard: NO_GUARD,
      signal: new AbortController().signal,
    });
    const journal = await readJournal(stateDirectory, intent.freezeId);
    if (journal === undefined) throw new Error('no journal');
    await writeJournal(stateDirectory, { ...journal, worker: { ...journal.worker, startTicks: '1' } });
    return begun;
  }

  test('paused: it is found and released, once', async () => {
    const { volume, id } = await volumeWithUser();
    const { intent } = await orphan(scope({ volumes: [volume] }));
    expect((await leftFreezes(stateDirectory)).map((journal) => journal.intent.freezeId)).toEqual([intent.freezeId]);
    expect(await releaseFreeze(stateDirectory, undefined, { docker: corner.docker })).toEqual([intent.freezeId]);
    expect(await corner.state(id)).toBe('running');
    expect(await releaseFreeze(stateDirectory, intent.freezeId, { docker: corner.docker })).toEqual([]);
  });

  test('stopped: it is started again; what the operator removed, or started and stopped himself, is left alone', async () => {
    const volume = await corner.volume();
    const [ours, removed, his] = [
      await corner.container({ binds: [`${volume}:/data`] }),
      await corner.container({ binds: [`${volume}:/data`] }),
      await corner.container({ binds: [`${volume}:/data`] }),
    ];
    const { intent } = await orphan(scope({ mode: 'stop', volumes: [volume] }));
    await corner.docker.removeContainer(removed);
    // Later than the moment the freeze touched it by more than clocks and engines may differ.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await corner.docker.start(his);
    await corner.docker.stop(his, 1);
    expect(await releaseFreeze(stateDirectory, intent.freezeId, { docker: corner.docker })).toEqual([intent.freezeId]);
    expect(await Promise.all([ours, his].map(corner.state))).toEqual(['running', 'exited']);
  });

  test('held by a living process: nobody else releases it', async () => {
    const { volume, id } = await volumeWithUser();
    const begun = await freeze(scope({ volumes: [volume] }));
    const journal = await readJournal(stateDirectory, begun.intent.freezeId);
    if (journal === undefined) throw new Error('no journal');
    expect(await releaseFreeze(stateDirectory, undefined, { docker: corner.docker })).toEqual([]);
    const init = { pid: 1, startTicks: await startTicks(1), bootId: journal.worker.bootId };
    await writeJournal(stateDirectory, { ...journal, worker: init });
    const other = releaseFreeze(stateDirectory, begun.intent.freezeId, { docker: corner.docker });
    await expect(other).rejects.toMatchObject({ code: 'HostBusy' });
    expect(await corner.state(id)).toBe('paused');
  });
});

async function startTicks(pid: number): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
