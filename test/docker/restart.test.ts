/** What is down of a Compose project: seen, started again, waited for, on a real engine. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostContext } from '../../src/activities/host-context.ts';
import { findBroken, restartContainers } from '../../src/activities/restart.ts';
import type { Run } from '../../src/activities/shell.ts';
import { writeJournal } from '../../src/docker/freeze-journal.ts';
import { ownIdentity } from '../../src/docker/process-identity.ts';
import { log } from '../../src/observe/log.ts';
import { lookAtHost } from '../../src/status/host-look.ts';
import { bootClockMs } from '../../src/sites/boot-clock.ts';
import { writeLease } from '../../src/sites/site-files.ts';
import { stateDirectory } from '../../src/system/home.ts';
import type { System } from '../../src/system/types.ts';
import { temporaryHome } from '../engine/home.ts';
import { dockerCorner, IDLE_SCRIPT, type ContainerOptions, type DockerCorner } from '../support/docker.ts';

let home: ReturnType<typeof temporaryHome>;
let corner: DockerCorner;
beforeAll(async () => {
  home = temporaryHome();
  corner = await dockerCorner();
});
afterAll(async () => {
  await corner.cleanUp();
  home[Symbol.dispose]();
});

const run: Run = { signal: AbortSignal.timeout(120_000), report: () => undefined, attempt: 1, log: log('test') };
const HEALTHY = { healthcheck: 'true' };

function stackOf(project: string): {
  system: System;
  context: HostContext;
  asked: { system: string; restartId: string; logLines: number };
} {
  const stack = { name: 'stack', kind: 'compose', host: 'alpha', project, directory: '/', healthTimeoutSeconds: 60 };
  const system = { name: project, compose: 'stack', components: [stack], stores: [], keys: {} } as unknown as System;
  const context = { host: 'alpha', docker: () => corner.docker, stateDirectory, system: () => Promise.resolve(system) };
  return {
    system,
    context: context as unknown as HostContext,
    asked: { system: project, restartId: 'run-1', logLines: 100 },
  };
}

async function service(project: string, name: string, options: ContainerOptions = {}, needs = ''): Promise<string> {
  const labels = {
    'com.docker.compose.project': project,
    'com.docker.compose.service': name,
    ...(needs === '' ? {} : { 'com.docker.compose.depends_on': `${needs}:service_healthy:false` }),
  };
  return corner.container({ name: `${project}-${name}-1`, labels, ...options });
}

async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await ask())) {
    if (performance.now() > end) throw new Error(`waited for ${what}`);
    await sleep(50);
  }
}

/** The engine remembers few events, and health checks are many. */
async function remove(project: string): Promise<void> {
  const all = await corner.docker.containersOf({ project });
  await Promise.all(all.map(({ id }) => corner.docker.removeContainer(id)));
}

const isDown = (id: string) => until('the end', async () => (await corner.state(id)) === 'exited');

describe('what is down of a project [M6]', () => {
  test('one falls, one is stopped, one paused, one held by a capture: the first alone is started, with its log kept', async () => {
    const project = `hf${corner.id}a`;
    const { context, asked, system } = stackOf(project);
    const falls = `echo 'the last words'; echo 'hunter2' >&2; trap 'exit 3' USR1; while :; do sleep 0.1; done`;
    const [ledger, api, other, held] = await Promise.all([
      service(project, 'ledger', { ...HEALTHY, script: falls }),
      service(project, 'api', HEALTHY, 'ledger'),
      service(project, 'other'),
      service(project, 'held'),
    ]);
    await service(project, 'task', { script: 'true' });
    await corner.raw.getContainer(ledger).kill({ signal: 'SIGUSR1' });
    await Promise.all(
      [ledger, held].map((id) => (id === held ? corner.raw.getContainer(id).stop({ t: 5 }) : isDown(id))),
    );
    await corner.raw.getContainer(other).pause();
    const container = { id: held, name: 'held', startedAt: '', level: 0, stopSeconds: 1 };
    const intent = {
      freezeId: 'f1',
      system: project,
      mode: 'stop',
      budgetSeconds: 9,
      volumes: [],
      plannedAtMs: 0,
    } as const;
    const times = { beganAtMs: Date.now(), beganMonotonicMs: 0, touchedAtMs: { [held]: 1 }, notOurs: [], released: [] };
    await writeJournal(stateDirectory(project), {
      format: 1,
      intent: { ...intent, containers: [container] },
      worker: ownIdentity(),
      ...times,
    });

    const { targets, left } = await findBroken(context, asked, run);
    expect(targets).toMatchObject([{ service: 'ledger', what: 'has stopped (exit 3)', stop: false }]);
    expect(Date.now() - Date.parse(targets[0]?.since ?? '')).toBeLessThan(120_000);
    expect(left.map(({ name, why }) => [name.split('-')[1], why.split(' ').slice(0, 3).join(' ')])).toEqual([
      ['held', 'a capture holds'],
      ['other', 'is paused, and'],
    ]);
    const text = await readFile(targets[0]?.log ?? '', 'utf8');
    expect(text).toContain('the last words');
    expect(text).toContain('hunter2');
    expect(JSON.stringify({ targets, left })).not.toContain('hunter2');

    const done = await restartContainers(context, { system: project, targets }, run);
    expect(done).toEqual({
      containers: [{ name: `${project}-ledger-1`, ok: true, now: 'healthy' }],
      dependants: [{ name: `${project}-api-1`, ok: true, now: 'healthy' }],
    });
    const startedAt = async () => (await corner.docker.inspect(ledger))?.startedAt;
    const first = await startedAt();
    // A repeat of the step starts nothing twice.
    await restartContainers(context, { system: project, targets: targets.map((one) => ({ ...one, stop: true })) }, run);
    expect(await startedAt()).toBe(first);
    expect(await Promise.all([api, other, held].map((id) => corner.state(id)))).toEqual([
      'running',
      'paused',
      'exited',
    ]);
    expect((await findBroken(context, asked, run)).targets).toEqual([]);
    // A capture holds something: nothing is known of the services meanwhile.
    const look = await lookAtHost(system, 'alpha', { signal: run.signal, docker: () => corner.docker });
    expect([look.services, look.componentsUnseen.length]).toEqual([[], 1]);
    await remove(project);
  });

  test('stopped by hand: no finding, and started only when it is named', async () => {
    const project = `hf${corner.id}b`;
    const { context, asked, system } = stackOf(project);
    const id = await service(project, 'web', HEALTHY);
    await corner.raw.getContainer(id).update({ RestartPolicy: { Name: 'unless-stopped' } });
    await corner.raw.getContainer(id).stop({ t: 5 });
    expect(await findBroken(context, asked, run)).toMatchObject({
      targets: [],
      left: [{ why: /^was stopped by hand/ }],
    });
    const look = await lookAtHost(system, 'alpha', { signal: run.signal, docker: () => corner.docker });
    expect([look.services, look.components]).toEqual([[], []]);
    const { targets } = await findBroken(context, { ...asked, service: 'web' }, run);
    const { containers } = await restartContainers(context, { system: project, targets }, run);
    expect(containers).toMatchObject([{ ok: true, now: 'healthy' }]);
    await remove(project);
  });

  test('one that falls again, one that is unhealthy for good: a finding each, and a restart says that it has not helped', async () => {
    const project = `hf${corner.id}c`;
    const { context, asked, system } = stackOf(project);
    const failing = { script: IDLE_SCRIPT, healthcheck: 'false' };
    const [broken, sick] = await Promise.all([
      service(project, 'broken', { script: 'echo no such file; exit 4' }),
      service(project, 'sick', failing),
    ]);
    await isDown(broken);
    await until('it to be unhealthy', async () => (await corner.docker.inspect(sick))?.health === 'unhealthy');
    const look = await lookAtHost(system, 'alpha', { signal: run.signal, docker: () => corner.docker });
    expect(look.services).toMatchObject([
      { component: 'stack', subject: 'broken', hint: `See why and start it again: holdfast restart ${project}` },
      { component: 'stack', subject: 'sick' },
    ]);
    expect(look.services?.map(({ what }) => what.replace(/ since .*/, ''))).toEqual([
      `container ${project}-broken-1 has stopped (exit 4)`,
      `container ${project}-sick-1 is unhealthy`,
    ]);
    expect(look.services?.every(({ since }) => Date.now() - Date.parse(since ?? '') < 120_000)).toBe(true);
    const { targets } = await findBroken(context, asked, run);
    expect(targets.map(({ service: of, stop }) => [of, stop])).toEqual([
      ['broken', false],
      ['sick', true],
    ]);
    const [first] = targets;
    const { containers } = await restartContainers(
      context,
      { system: project, targets: first === undefined ? [] : [first] },
      run,
    );
    expect(containers).toEqual([{ name: `${project}-broken-1`, ok: false, now: 'exited (exit 4)' }]);
    expect(await readFile(first?.log ?? '', 'utf8')).toMatch(/no such file\n+--- after it was started again/);
  });

  test('the lease ends between two starts of a restart: the second is refused, and what it would have started stays down', async () => {
    const project = `hf${corner.id}d`;
    const { context, asked, system } = stackOf(project);
    const [ledger, api] = [await service(project, 'ledger', HEALTHY), await service(project, 'api', HEALTHY, 'ledger')];
    await Promise.all([ledger, api].map((id) => corner.raw.getContainer(id).kill()));
    const { targets } = await findBroken(context, asked, run);
    Object.assign(system, { site: 'frankfurt', failover: { fencing: 'lease' } });
    const said = { site: 'frankfurt', generation: 1, stack: 'up', told: 'holds the lease of generation 1' } as const;
    await writeLease(project, { ...said, heldUntilMs: bootClockMs() + 1_000_000 });
    const started: string[] = [];
    const start = async (id: string): Promise<void> => {
      started.push(id);
      await corner.docker.start(id);
      await writeLease(project, { ...said, told: 'stops the stack' });
    };
    const slow = { ...context, docker: () => ({ ...corner.docker, start }) };
    const restarted = restartContainers(slow, { system: project, targets }, run);
    await expect(restarted).rejects.toMatchObject({ code: 'SiteFenced', message: /stops the stack/ });
    expect(started).toEqual([ledger]);
    expect(await corner.state(api)).toBe('exited');
    await remove(project);
  });
});
