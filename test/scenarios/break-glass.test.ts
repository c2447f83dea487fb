import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { expectedHead } from '../../sample/ledger/load.ts';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import { containerName } from '../../sample/stack/stack.ts';
import { ownDockerEngine } from '../../scripts/crash/own-docker.ts';
import { lastOpening } from '../../scripts/demo/docker-scene.ts';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { LIMIT_MS, Site, SYSTEM } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
}, 300_000);
afterAll(() => site.close(), 180_000);

/** What a service of the stack answers to a program in its own container: the new machine's network leads nowhere. */
async function healthInside(docker: Docker): Promise<{ status: string; dependencies: unknown }> {
  const program = "fetch('http://127.0.0.1:8080/health').then(async (r) => process.stdout.write(await r.text()))";
  const exec = await docker.getContainer(containerName(site.stack, 'connector')).exec({
    Cmd: ['/bin/node', '-e', program],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({});
  const [out, errors] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, errors);
  errors.resume();
  stream.once('end', () => out.end());
  return JSON.parse(await text(out)) as { status: string; dependencies: unknown };
}

/** As if the machine had burnt down: no engine, no home, no containers, no volume, no files; the store and the kit are elsewhere. */
async function loseTheMachine(): Promise<void> {
  await site.down();
  await rm(site.holdfast.home, { recursive: true });
  await rm(site.systemFile);
  for (const service of ['connector', 'ledger'] as const) await site.container(service).remove({ force: true });
  for (const volume of await site.volumes()) await site.stack.docker.getVolume(volume).remove();
  for (const name of await readdir(site.stack.directory)) {
    await rm(join(site.stack.directory, name), { recursive: true });
  }
}

/** The new machine's network leads nowhere, to its containers either: what asks a page there is asked below, from inside. */
async function declareImages(): Promise<void> {
  const declared = parseDocument(await readFile(site.systemFile, 'utf8'));
  declared.setIn(['components', 'stack', 'saveImages'], true);
  declared.deleteIn(['checks', 'health']);
  await writeFile(site.systemFile, declared.toString());
}

test('[M6] a new machine with an empty Docker engine and no registry, the store and the recovery kit: one command brings images, volume, files and the whole stack back', async () => {
  await declareImages();
  const token = await site.secretToken();
  const result = await site.holdfast.ask<BackupResult>('backup', SYSTEM, 'daily');
  expect(result.verified?.ok).toBe(true);
  // A component of another plan: what the whole system comes back from is chosen for each part.
  const beside = await site.holdfast.ask<BackupResult>('backup', SYSTEM, 'monitoring');
  await loseTheMachine();

  const engine = await ownDockerEngine({ network: 'isolated' });
  try {
    const docker = new Docker({ socketPath: engine.host.slice('unix://'.length) });
    expect(await docker.listImages({ all: true })).toEqual([]);
    const home = join(site.directory, 'new-home');
    await mkdir(home);
    const machine = new Holdfast(home, { DOCKER_HOST: engine.host });
    const breakGlass = ['restore', '--from-store', site.storePath, '--kit', site.kitFile];
    const { plan } = await machine.ask<{ plan: RestorePlan }>(...breakGlass, '--dry-run');
    const sources = new Map(plan.whole?.parts.map(({ name, backup }) => [name, backup]));
    expect(plan.whole?.missing).toEqual([]);
    expect(sources.get('stack')).toBe(result.backup);
    expect(sources.get('ledger')).toBe(result.backup);
    expect(sources.get('monitoring')).toBe(beside.backup);
    expect((await docker.listVolumes()).Volumes).toEqual([]);

    const restored = await machine.ask<RestoreResult>(...breakGlass, '--approve', plan.digest);
    expect(restored).toMatchObject({ outcome: 'restored', whole: { left: [] } });
    expect(restored.checks.filter(({ ok }) => !ok)).toEqual([]);

    const health = await waitFor('the connector to be healthy', LIMIT_MS, async () => {
      const answer = await healthInside(docker).catch(() => undefined);
      return answer?.status === 'healthy' ? answer : undefined;
    });
    expect(health).toMatchObject({ dependencies: { tigerbeetle: { status: 'up' } }, wallets: 50, total: 50_000_000 });
    const ledger = docker.getContainer(containerName(site.stack, 'ledger'));
    const opened = lastOpening((await ledger.logs({ stdout: true, stderr: true })).toString('utf8'));
    expect(opened?.records).toBeGreaterThan(0);
    expect(opened?.head).toBe(expectedHead(site.stack.seed, opened?.records ?? 0, 1260));
    expect(await site.secretToken()).toBe(token);
    expect((await stat(join(site.stack.walletDirectory, 'master-seed.enc'))).mode & 0o777).toBe(0o600);
    expect(existsSync(join(home, 'engine', 'engine.json'))).toBe(false);
  } finally {
    await engine.close();
  }
}, 600_000);

test('a store that holds no vault, a kit with another fingerprint: refused', async () => {
  const home = join(site.directory, 'wrong-home');
  await mkdir(home);
  const machine = new Holdfast(home);
  const nowhere = await machine.run(
    'restore',
    '--from-store',
    join(site.directory, 'nowhere'),
    '--kit',
    site.kitFile,
    '--json',
  );
  expect(nowhere.code).not.toBe(0);
  expect(nowhere.stdout).toMatch(/NotAVault|StoreNotMounted/);
  const kit = await readFile(site.kitFile, 'utf8');
  const forged = join(site.directory, 'forged.txt');
  await writeFile(forged, kit.replace(/SHA256:[A-Za-z0-9+/]{43}/g, `SHA256:${'A'.repeat(43)}`), { mode: 0o600 });
  const untrusted = await machine.run(
    'restore',
    '--from-store',
    site.storePath,
    '--kit',
    forged,
    '--dry-run',
    '--json',
  );
  expect(untrusted.code).not.toBe(0);
  expect(untrusted.stdout).toContain('fingerprint');
});
