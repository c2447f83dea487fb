import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectDocker } from '../../src/docker/connect.ts';
import { findNamed } from '../../src/docker/find-named.ts';
import { hostLock } from '../../src/docker/host-lock.ts';
import { CHECK_LABEL, OWNER_LABEL } from '../../src/docker/run.ts';
import { dockerCorner } from '../support/docker.ts';
import type { DockerCorner } from '../support/docker.ts';

let corner: DockerCorner;
let directory: string;

beforeAll(async () => {
  corner = await dockerCorner();
  directory = await mkdtemp(join(tmpdir(), 'holdfast-engine-'));
});
afterAll(async () => {
  await corner.cleanUp();
  await rm(directory, { recursive: true, force: true });
});

describe('an engine that does not answer', () => {
  test('no socket, or one that accepts and says nothing: DockerUnreachable, within its time', async () => {
    const nobody = connectDocker({ socketPath: join(directory, 'none.sock') });
    await expect(nobody.version()).rejects.toMatchObject({ code: 'DockerUnreachable' });
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(join(directory, 'silent.sock'), resolve));
    const host = connectDocker({ socketPath: join(directory, 'silent.sock'), timeoutMs: 200 });
    await expect(host.volume('v')).rejects.toMatchObject({ code: 'DockerUnreachable' });
    silent.close();
  });

  test('an answer that breaks off in the middle is no answer', async () => {
    const breaking = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"Vers');
        socket.destroySoon();
      });
    });
    await new Promise<void>((resolve) => breaking.listen(join(directory, 'breaking.sock'), resolve));
    const host = connectDocker({ socketPath: join(directory, 'breaking.sock'), timeoutMs: 300 });
    await expect(host.version()).rejects.toMatchObject({ code: 'DockerUnreachable' });
    breaking.close();
  });
});

describe('the engine', () => {
  test('is asked for what is not there: undefined to look at, an error with its name to change', async () => {
    const name = `hf-${corner.id}-none`;
    expect(await corner.docker.volume(name)).toBeUndefined();
    expect(await corner.docker.inspect(name)).toBeUndefined();
    await corner.docker.removeVolume(name);
    await expect(corner.docker.start(name)).rejects.toMatchObject({
      code: 'ContainerMissing',
      message: expect.stringContaining(name) as string,
    });
  });

  test('a volume with a container can not be removed: VolumeInUse', async () => {
    const volume = await corner.volume();
    const id = await corner.container({ binds: [`${volume}:/data`], started: false });
    await expect(corner.docker.removeVolume(volume)).rejects.toMatchObject({ code: 'VolumeInUse' });
    const facts = await corner.docker.inspect(id);
    expect(facts).toMatchObject({ state: 'created', volumes: [volume], writes: [volume] });
    expect((await corner.docker.containersOf({ volume })).map((user) => user.id)).toEqual([id]);
  });

  test('a name is a container, or the service of one project; of several it is refused', async () => {
    const service = `web-${corner.id}`;
    const labels = (project: string): Record<string, string> => ({
      'com.docker.compose.project': project,
      'com.docker.compose.service': service,
    });
    const first = await corner.container({ labels: labels('one'), started: false });
    expect((await corner.docker.containersOf({ name: service })).map(({ id }) => id)).toEqual([first]);
    const second = await corner.container({ labels: labels('two'), started: false });
    await expect(corner.docker.containersOf({ name: service })).rejects.toMatchObject({ code: 'BadInput' });
    const narrowed = await corner.docker.containersOf({ name: service, project: 'two' });
    expect(narrowed.map(({ id }) => id)).toEqual([second]);
    // What a system file names is looked for in its own project, whatever else runs on the machine.
    const found = async (project?: string) => (await findNamed(corner.docker, service, project)).map(({ id }) => id);
    expect([await found('one'), await found('two'), await found('three')]).toEqual([[first], [second], []]);
    await expect(found()).rejects.toMatchObject({ code: 'BadInput' });
    const own = await corner.container({ name: service, started: false });
    expect((await corner.docker.containersOf({ name: service })).map(({ id }) => id)).toEqual([own]);
    expect(await found('one')).toEqual([own]);
  });

  test('a container of our own: its output and exit code, and nothing is left of it, also when it is cancelled', async () => {
    const labels = { [CHECK_LABEL]: corner.id, 'dev.holdfast.test': corner.id };
    const spec = { image: corner.image, binds: [], labels, network: 'none', timeoutMs: 60_000 } as const;
    const { signal } = new AbortController();
    const good = await corner.docker.run({ ...spec, command: ['sh', '-c', 'echo one; echo two >&2; exit 3'], signal });
    expect(good.exitCode).toBe(3);
    expect(good.output.split('\n').sort()).toEqual(['', 'one', 'two']);
    const cancel = new AbortController();
    const hanging = corner.docker.run({ ...spec, command: ['sleep', '1000'], signal: cancel.signal });
    setTimeout(() => {
      cancel.abort(new Error('cancelled'));
    }, 300);
    await expect(hanging).rejects.toThrow('cancelled');
    const late = corner.docker.run({ ...spec, command: ['sleep', '1000'], timeoutMs: 500, signal });
    await expect(late).rejects.toMatchObject({ code: 'CheckFailed' });
    const left = await corner.raw.listContainers({ all: true, filters: { label: [`${CHECK_LABEL}=${corner.id}`] } });
    expect(left).toEqual([]);
  });

  test('a container that a dead process left is removed by the next run; one of a living process is not', async () => {
    const owned = (owner: string): Promise<string> =>
      corner.container({ labels: { [CHECK_LABEL]: corner.id, [OWNER_LABEL]: owner }, started: false });
    const { bootId, startTicks } = (await import('../../src/docker/process-identity.ts')).ownIdentity();
    const dead = await owned(`${bootId}:${process.pid}:1`);
    const living = await owned(`${bootId}:${process.pid}:${startTicks}`);
    await corner.docker.run({
      image: corner.image,
      command: ['true'],
      binds: [],
      labels: {},
      network: 'none',
      timeoutMs: 60_000,
      signal: new AbortController().signal,
    });
    expect(await corner.docker.inspect(dead)).toBeUndefined();
    expect(await corner.docker.inspect(living)).toBeDefined();
    await corner.docker.removeContainer(living);
  });
});

describe('the lock of a host', () => {
  test('held: the next one is told by whom; released: it is free, and a repeat does nothing', async () => {
    const name = `test ${corner.id}`;
    const lock = await hostLock(name);
    await expect(hostLock(name)).rejects.toMatchObject({
      code: 'HostBusy',
      message: expect.stringContaining(`process ${process.pid}`) as string,
    });
    await lock.release();
    await lock.release();
    await (await hostLock(name)).release();
  });

  test('its process is killed: the kernel frees it', async () => {
    const name = `killed ${corner.id}`;
    const program = `
      import { hostLock } from ${JSON.stringify(new URL('../../src/docker/host-lock.ts', import.meta.url).href)};
      await hostLock(${JSON.stringify(name)});
      process.stdout.write('held');
      setInterval(() => undefined, 60_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await expect(hostLock(name)).rejects.toMatchObject({ code: 'HostBusy' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await hostLock(name)).release();
  });
});
