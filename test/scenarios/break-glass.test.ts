import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectedHead } from '../../sample/ledger/load.ts';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import { connectorHealth } from '../../sample/stack/stack.ts';
import { lastOpening } from '../../scripts/demo/docker-scene.ts';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { LIMIT_MS, Site, SYSTEM } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
}, 300_000);
afterAll(() => site.close(), 180_000);

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

test('[M6] a new server with nothing but the store and the recovery kit: one command brings the whole stack back', async () => {
  const token = await site.secretToken();
  const result = await site.holdfast.ask<BackupResult>('backup', SYSTEM, 'daily');
  expect(result.verified?.ok).toBe(true);
  await loseTheMachine();

  const home = join(site.directory, 'new-home');
  await mkdir(home);
  const machine = new Holdfast(home);
  const breakGlass = ['restore', '--from-store', site.storePath, '--kit', site.kitFile];
  const { plan } = await machine.ask<{ plan: RestorePlan }>(...breakGlass, '--dry-run');
  expect(plan.backup).toBe(result.backup);
  expect(await site.volumes()).toEqual([]);

  const restored = await machine.ask<RestoreResult>(...breakGlass, '--approve', plan.digest);
  expect(restored).toMatchObject({ outcome: 'restored', plan: { backup: result.backup } });
  expect(restored.checks.filter(({ ok }) => !ok)).toEqual([]);

  const health = await waitFor('the connector to be healthy', LIMIT_MS, async () => {
    const answer = await connectorHealth(site.stack).catch(() => undefined);
    return answer?.status === 'healthy' ? answer : undefined;
  });
  expect(health).toMatchObject({ dependencies: { tigerbeetle: { status: 'up' } }, wallets: 50, total: 50_000_000 });
  const opened = lastOpening(await site.log('ledger'));
  expect(opened?.records).toBeGreaterThan(0);
  expect(opened?.head).toBe(expectedHead(site.stack.seed, opened?.records ?? 0, 1260));
  expect(await site.secretToken()).toBe(token);
  expect((await stat(join(site.stack.walletDirectory, 'master-seed.enc'))).mode & 0o777).toBe(0o600);
  expect(existsSync(join(home, 'engine', 'engine.json'))).toBe(false);
}, 300_000);

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
