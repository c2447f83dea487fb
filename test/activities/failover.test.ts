import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { withAuthority } from '../../src/sites/authority.ts';
import { requireMayCapture } from '../../src/sites/standing.ts';
import { loadSystem } from '../../src/system/index.ts';
import { readGenerations } from '../../src/vault/sites/generation.ts';
import type { BackupResult, FailoverPlan, FailoverReport, FailoverResult } from '../../src/workflows/contract.ts';
import { shopSite } from './far-site.ts';

/** The site of the file takes over from `far`, which nobody is answered by; both share the store. */
const shop = shopSite(['fencing: lease', 'assess: { over: 1s, looks: 2, from: { here: { command: ["false"] } } }']);

async function asked<T = FailoverResult>(...args: string[]): Promise<T> {
  const { site } = shop;
  const out = await site.holdfast('failover', site.system, ...args, '--json').catch((error: unknown) => {
    const { stdout } = error as { stdout?: string };
    if (stdout === undefined || stdout === '') throw error;
    return stdout;
  });
  return JSON.parse(out) as T;
}

/** In the middle of every chunk that was not there before. */
async function flipNewChunks(before: readonly string[]): Promise<void> {
  for (const file of (await chunks()).filter((one) => !before.includes(one))) {
    const bytes = await readFile(file);
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    await writeFile(file, bytes);
  }
}

async function chunks(): Promise<string[]> {
  const directory = path.join(shop.site.directory, 'store', 'chunks');
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
}

test('[M7] [G5] the active site is gone and its newest backup damaged: its plan says what is lost; approved it waits for the lease, asks for the older one, and brings that back; then the site before may capture no more', async () => {
  const { site } = shop;
  await shop.putOn('home', 1);
  await shop.trade('one');
  await shop.trade('two');
  const whole = await site.run<BackupResult>('backup', { plan: 'daily' });
  const stored = await chunks();
  await shop.trade('three');
  const damaged = await site.run<BackupResult>('backup', { plan: 'daily' });
  await shop.trade('lost');
  await shop.putOn('far', 2, { leaseMs: 1500, stopMs: 500 });
  await flipNewChunks(stored);
  await shop.lose();

  const { outcome, plan } = await asked('--plan');
  expect(outcome).toBe('planned');
  expect(plan).toMatchObject({
    from: { generation: 2, site: 'far' },
    site: 'home',
    nextGeneration: 3,
    approval: 'person',
    meetsRpo: true,
    assessment: { state: 'down' },
    copy: { backup: damaged.backup },
  });

  const waiting = await asked<{ waitingFor: string; plan: FailoverPlan }>(
    '--approve',
    plan?.digest ?? '',
    '--by',
    'ann',
  );
  expect(waiting.waitingFor).toContain('approval of an older backup');
  expect(waiting.plan).toMatchObject({
    ...{ from: { generation: 2, site: 'far' }, nextGeneration: 4, copy: { backup: whole.backup } },
    passedOver: [{ backup: damaged.backup, store: 'disk' }],
  });
  await site.holdfast('approve', site.system, waiting.plan.digest, '--by', 'bob');
  const done = (await site.env.client.workflow.getHandle(`${site.system}/failover`).result()) as FailoverResult;
  expect(done).toMatchObject({ outcome: 'done', ok: true, generation: { n: 4, site: 'home' } });
  expect(done.fence?.evidence).toContain('far/far-1');
  expect(await shop.trades()).toEqual(['one', 'two']);

  const { failovers } = JSON.parse(await site.holdfast('failovers', site.system, '--json')) as {
    failovers: FailoverReport[];
  };
  expect(failovers).toMatchObject([{ outcome: 'done', approvedBy: 'bob', from: { site: 'far' } }]);
  expect(await asked('--plan')).toMatchObject({ outcome: 'refused' });

  const system = await loadSystem(site.system);
  const generations = await withAuthority(system, readGenerations);
  const [third, fourth] = generations.slice(2);
  expect([third?.origin?.generation, fourth?.origin?.generation]).toEqual([1, 1]);
  expect(Date.parse(fourth?.origin?.pointAt ?? '')).toBeLessThan(Date.parse(third?.origin?.pointAt ?? ''));
  const late = requireMayCapture({ ...system, site: 'far' }, AbortSignal.timeout(60_000));
  await expect(late).rejects.toMatchObject({ code: 'SiteFenced' });
});
