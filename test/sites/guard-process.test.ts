/** The guard as a process of its own, on a real engine and a real store: it dies, comes back, and comes back too late. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { bootClockMs } from '../../src/sites/boot-clock.ts';
import { holdStack, releaseStack, waitForGuard } from '../../src/sites/holds.ts';
import { withApart } from '../../src/sites/apart.ts';
import { failoverOf, siteSigner, withAuthority } from '../../src/sites/authority.ts';
import { isHeld, readLease, sitesDirectory } from '../../src/sites/site-files.ts';
import { SystemStack } from '../../src/sites/stack-handle.ts';
import { startPermit } from '../../src/sites/start-permit.ts';
import { requireMayCapture, requireMayReplace, requireMayRun } from '../../src/sites/standing.ts';
import { loadSystem, type System, type SystemdComponent } from '../../src/system/index.ts';
import { raiseGeneration } from '../../src/vault/sites/generation.ts';
import type { CatalogueEntry } from '../../src/vault/types.ts';
import { holdfast } from '../cli/holdfast.ts';
import { dockerCorner, type DockerCorner } from '../support/docker.ts';
import { eventually } from '../workflows/stage.ts';

const CLI = path.resolve(import.meta.dirname, '../../src/cli.ts');
const WORKER = path.resolve(import.meta.dirname, '../../src/worker.ts');
const SYSTEM = 'guarded';
const never = new AbortController().signal;

let corner: DockerCorner;
let directory: string;
let containers: string[];
const guards = new Set<ChildProcess>();

beforeAll(async () => {
  corner = await dockerCorner();
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-guard-'));
  vi.stubEnv('HOLDFAST_HOME', home());
  const volume = await corner.volume();
  containers = await Promise.all([1, 2].map(() => corner.container({ binds: [`${volume}:/data`], started: false })));
  const file = path.join(directory, 'system.yaml');
  await writeFile(
    file,
    [
      `system: ${SYSTEM}`,
      'site: frankfurt',
      'hosts: [alpha]',
      `stores: { witness: { kind: directory, path: ${path.join(directory, 'store')} } }`,
      `components: { data: { kind: volume, volume: ${volume}, quiesce: stop } }`,
      'plans: { daily: { components: [data], stores: [witness] } }',
      'failover:',
      '  sites: [frankfurt, ohio]',
      '  authority: witness',
      // Longer than any machine is busy: what ends a lease here is the test.
      '  lease: 10m',
      '  stop: 60s',
      '  assess: { from: { page: { http: { url: "http://127.0.0.1:9/" } } } }',
      '',
    ].join('\n'),
  );
  const made = await holdfast(home(), ['init', file, '--kit', path.join(directory, 'kit.txt')]);
  expect([made.code, made.stderr]).toEqual([0, made.stderr]);
});

afterAll(async () => {
  for (const guard of guards) await kill(guard);
  vi.unstubAllEnvs();
  await corner.cleanUp();
  await rm(directory, { recursive: true, force: true });
});

const home = (): string => path.join(directory, 'home');

/** As systemd runs it. */
function startGuard(): ChildProcess {
  const guard = spawn(process.execPath, [CLI, 'site', SYSTEM, '--guard', 'run'], { stdio: 'ignore' });
  guards.add(guard);
  return guard;
}

async function kill(guard: ChildProcess): Promise<void> {
  guards.delete(guard);
  if (guard.exitCode !== null || guard.signalCode !== null) return;
  guard.kill('SIGKILL');
  await once(guard, 'exit');
}

/** What the unit's ExecStopPost does after a guard that was killed. */
async function afterCrash(): Promise<string> {
  const { code, stderr } = await holdfast(home(), ['site', SYSTEM, '--guard', 'after'], { SERVICE_RESULT: 'signal' });
  expect([code, stderr]).toEqual([0, stderr]);
  return stderr;
}

const states = (): Promise<string[]> => Promise.all(containers.map((id) => corner.state(id)));

async function startedAt(): Promise<string[]> {
  const all = await Promise.all(containers.map((id) => corner.docker.inspect(id)));
  return all.map((facts) => facts?.startedAt ?? '');
}

async function leaseOf(guard: ChildProcess) {
  return eventually('this guard holds the lease', async () => {
    const lease = await readLease(SYSTEM);
    return lease?.pid === guard.pid && isHeld(lease) ? lease : undefined;
  });
}

it('put on its site: the guard starts the stack; killed and started again it goes on from its lease, and nothing stopped', async () => {
  expect((await holdfast(home(), ['site', SYSTEM])).code).toBe(1);
  const activated = await holdfast(home(), ['site', SYSTEM, '--activate', '--json']);
  expect(JSON.parse(activated.stdout)).toMatchObject({ standing: { kind: 'active', n: 1 } });

  const doctor = await holdfast(home(), ['doctor', SYSTEM, '--json']);
  expect(doctor.stdout).toContain('no site guard runs');

  await holdStack(SYSTEM, 'test');
  const first = startGuard();
  await leaseOf(first);
  expect(await states()).toEqual(['created', 'created']);
  await releaseStack(SYSTEM, 'test');
  await waitForGuard(SYSTEM, never);
  expect(await states()).toEqual(['running', 'running']);

  // Stopped by hand while it was held, it has not ended by itself.
  await holdStack(SYSTEM, 'test');
  await corner.docker.stop(containers[0] ?? '', 5);
  await eventually('the guard has seen it', async () => ((await readLease(SYSTEM))?.stack === 'up' ? undefined : true));
  await releaseStack(SYSTEM, 'test');
  await eventually('it is started again', async () => (await states()).every((one) => one === 'running') || undefined);

  const before = await startedAt();
  const held = await leaseOf(first);
  await kill(first);
  expect(await afterCrash()).toContain('goes on');
  const second = startGuard();
  const lease = await leaseOf(second);
  expect(lease.heldUntilMs).toBeGreaterThanOrEqual(held.heldUntilMs);
  expect(await startedAt()).toEqual(before);

  // Without a restart policy nobody else brings back what falls.
  await corner.raw.getContainer(containers[0] ?? '').kill();
  await eventually('what fell is started again', async () =>
    (await states()).every((state) => state === 'running') ? true : undefined,
  );
  await kill(second);
});

it('away for longer than its lease: the stack is stopped, also what is paused, and started again by the next guard', async () => {
  await corner.docker.pause(containers[1] ?? '');
  const file = path.join(sitesDirectory(SYSTEM), 'lease.json');
  const lease = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...lease, heldUntilMs: bootClockMs() }));
  expect(await afterCrash()).toContain('is stopped');
  expect(await states()).toEqual(['exited', 'exited']);

  const guard = startGuard();
  await waitForGuard(SYSTEM, never);
  expect(await states()).toEqual(['running', 'running']);

  // Ended on purpose: nobody would stop the stack in time any more.
  const exit = once(guard, 'exit');
  guard.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect(await states()).toEqual(['exited', 'exited']);
});

it('engine and systemd hang, the disk takes nothing, nobody registers the system any more: the stack is stopped all the same', async () => {
  const system = await loadSystem(SYSTEM);
  const startAll = (): Promise<unknown> => Promise.all(containers.map((id) => corner.docker.start(id)));
  const areDown = (): Promise<true> =>
    eventually('they are down', async () => (await states()).every((state) => state === 'exited') || undefined);
  await startAll();
  const bin = path.join(directory, 'bin');
  await mkdir(bin);
  await writeFile(path.join(bin, 'systemctl'), '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  const pathBefore = process.env['PATH'] ?? '';
  vi.stubEnv('PATH', `${bin}:${pathBefore}`);
  const unit = {
    kind: 'systemd',
    name: 'unit',
    host: 'alpha',
    scope: 'system',
    units: ['none.service'],
    keepUp: false,
  };
  const components = [...system.components, unit as unknown as SystemdComponent];
  const docker = { ...corner.docker, stop: () => new Promise<never>(() => undefined) };
  const stack = new SystemStack({ system: { ...system, components }, host: 'alpha', docker, settled: () => false });
  await expect(stack.stop(3000, never)).rejects.toMatchObject({ code: 'SystemdRefused' });
  vi.stubEnv('PATH', pathBefore);
  await areDown();

  await startAll();
  const lease = path.join(sitesDirectory(SYSTEM), 'lease.json');
  await rm(lease, { force: true });
  await mkdir(lease);
  const register = path.join(home(), 'systems');
  await rename(register, `${register}.away`);
  expect(await afterCrash()).toContain('is stopped');
  await areDown();
  await rm(lease, { recursive: true });
  await rm(register, { recursive: true, force: true });
  await rename(`${register}.away`, register);
});

it('another site took over: nothing is captured or started here, and what was captured since is apart', async () => {
  const system = await loadSystem(SYSTEM);
  const asked = withApart(system, [entry('2026-01-01T00:00:00Z'), entry('2026-03-01T00:00:00Z')], never);
  expect((await asked).map(({ apart }) => apart)).toEqual([undefined, undefined]);
  expect(await requireMayCapture(system, never)).toEqual({ generation: 1 });

  // Nobody answers: a capture goes on under what was believed last, and nothing is started.
  const store = path.join(directory, 'store');
  await rename(store, `${store}.away`);
  expect(await requireMayCapture(system, never)).toMatchObject({
    generation: 1,
    warning: expect.any(String) as string,
  });
  const attested: System = { ...system, failover: { ...failoverOf(system), fencing: 'attested' } };
  await expect(startPermit(attested, never)()).rejects.toMatchObject({ code: 'SiteFenced' });
  await rename(`${store}.away`, store);

  // Fenced otherwise, each start asks the store anew.
  await startPermit(attested, never)();
  await expect(startPermit(system, never)()).rejects.toMatchObject({ code: 'SiteFenced' });

  const by = { signer: await siteSigner(system), atMs: Date.now() };
  const origin = { generation: 1, pointAt: '2026-02-01T00:00:00Z' };
  await withAuthority(system, (from) => raiseGeneration(from, { n: 2, site: 'ohio', raiseId: 'r', origin }, by));
  await expect(startPermit(attested, never)()).rejects.toMatchObject({ code: 'SiteFenced' });
  await expect(requireMayCapture(system, never)).rejects.toMatchObject({ code: 'SiteFenced' });
  await expect(requireMayReplace(system, { signal: never })).rejects.toMatchObject({ code: 'SiteFenced' });
  const ohio = { ...system, site: 'ohio' };
  await requireMayReplace(ohio, { takeover: 2, signal: never });
  await expect(requireMayRun(ohio, never)).rejects.toMatchObject({ code: 'SiteFenced' });

  const later = await eventually('the new generation is seen', async () => {
    const all = await withApart(system, [entry('2026-01-01T00:00:00Z'), entry('2026-03-01T00:00:00Z')], never);
    return all[1]?.apart === undefined ? undefined : all;
  });
  // Fenced by a word: its worker stops it before anything else, though no engine of Holdfast answers.
  const file = path.join(directory, 'system.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('  lease: 10m', '  fencing: attested').replace('  stop: 60s\n', ''));
  await corner.docker.start(containers[0] ?? '');
  const worker = spawn(process.execPath, [WORKER, '--role', 'host', '--host', 'alpha'], {
    env: { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:9' },
    stdio: 'ignore',
  });
  guards.add(worker);
  await eventually('its worker stops it', async () => (await states()).every((one) => one === 'exited') || undefined);
  await kill(worker);

  expect(later[0]?.apart).toBeUndefined();
  expect(later[1]?.apart).toContain('generation 1 after 2026-02-01');
});

function entry(pointAt: string): CatalogueEntry {
  return { body: { generation: 1, pointAt } } as CatalogueEntry;
}
