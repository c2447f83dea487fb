import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { siteSigner, withAuthority } from '../../src/sites/authority.ts';
import { requireMayCapture } from '../../src/sites/standing.ts';
import { loadSystem } from '../../src/system/index.ts';
import { clearGeneration, raiseGeneration } from '../../src/vault/sites/generation.ts';
import { writeRenewal } from '../../src/vault/sites/renewal.ts';
import type { FailoverReport, FailoverResult } from '../../src/workflows/contract.ts';
import { makeSite, type Site } from './site.ts';

const TIMES = { leaseMs: 1500, stopMs: 500 };

/** The site of the file takes over from `far`, which nobody is answered by; both share the store. */
const describeSystem = (data: (name: string) => string): string =>
  [
    'components:',
    `  shop: { kind: sqlite, path: ${data('shop.sqlite')}, tier: critical }`,
    `  papers: { kind: files, path: ${data('papers')} }`,
    'plans:',
    '  daily: { components: [shop, papers], stores: [disk], rpo: 1d }',
    'failover:',
    '  sites: [home, far]',
    '  authority: disk',
    '  fencing: lease',
    '  assess: { over: 1s, looks: 2, from: { here: { command: ["false"] } } }',
  ].join('\n');

let site: Site;
beforeAll(async () => {
  site = await makeSite(describeSystem);
  vi.stubEnv('HOLDFAST_HOME', path.join(site.directory, 'home'));
  await mkdir(site.data('papers'));
  await site.startWorkers();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await site[Symbol.asyncDispose]();
});

async function trade(what: string): Promise<void> {
  await writeFile(path.join(site.data('papers'), `${what}.txt`), what);
  const database = new DatabaseSync(site.data('shop.sqlite'));
  database.exec('CREATE TABLE IF NOT EXISTS trades (what TEXT)');
  database.prepare('INSERT INTO trades VALUES (?)').run(what);
  database.close();
}

function trades(): unknown[] {
  const database = new DatabaseSync(site.data('shop.sqlite'));
  const rows = database.prepare('SELECT what FROM trades ORDER BY rowid').all();
  database.close();
  return rows.map((row) => row['what']);
}

/** As `far` does, whose guard then renews its lease. */
async function putOn(of: string, n: number): Promise<void> {
  const system = await loadSystem(site.system);
  const by = { signer: await siteSigner(system), atMs: Date.now() };
  await withAuthority(system, async (authority) => {
    const origin = n === 1 ? {} : { origin: { generation: n - 1 } };
    const raised = await raiseGeneration(authority, { n, site: of, raiseId: `raise-${n}`, ...origin }, by);
    if (raised.kind !== 'raised') throw new Error('somebody else was first');
    await clearGeneration(authority, raised.record, { fencing: 'first', evidence: 'a test' }, by);
    if (of === 'far') await writeRenewal(authority, { site: of, host: 'far-1' }, { times: TIMES, ...by });
  });
}

async function asked(...args: string[]): Promise<FailoverResult> {
  const out = await site.holdfast('failover', site.system, ...args, '--json').catch((error: unknown) => {
    const { code, stdout } = error as { code?: number; stdout?: string };
    if (code !== 1 || stdout === undefined) throw error;
    return stdout;
  });
  return JSON.parse(out) as FailoverResult;
}

test('[M7] the active site is gone: its plan says what is lost, approved it waits for the lease and brings the rest back; then the site before may capture no more', async () => {
  await putOn('home', 1);
  await trade('one');
  await trade('two');
  await site.run('backup', { plan: 'daily' });
  await trade('lost');
  await putOn('far', 2);
  // A machine that stands by has nothing.
  await rm(site.data('shop.sqlite'));
  await rm(site.data('papers'), { recursive: true });

  const { outcome, plan } = await asked('--plan');
  expect(outcome).toBe('planned');
  expect(plan).toMatchObject({
    from: { generation: 2, site: 'far' },
    site: 'home',
    nextGeneration: 3,
    approval: 'person',
    meetsRpo: true,
    assessment: { state: 'down' },
  });

  const done = await asked('--approve', plan?.digest ?? '', '--by', 'ann');
  expect(done).toMatchObject({ outcome: 'done', ok: true, generation: { n: 3, site: 'home' } });
  expect(done.fence?.evidence).toContain('far/far-1');
  expect(trades()).toEqual(['one', 'two']);
  const lostSince = Date.parse(done.plan?.restore.pointAt ?? '');
  expect(lostSince).toBeGreaterThan(0);

  const { failovers } = JSON.parse(await site.holdfast('failovers', site.system, '--json')) as {
    failovers: FailoverReport[];
  };
  expect(failovers).toMatchObject([{ outcome: 'done', approvedBy: 'ann', from: { site: 'far' } }]);
  expect(await asked('--plan')).toMatchObject({ outcome: 'refused' });

  const system = await loadSystem(site.system);
  const late = requireMayCapture({ ...system, site: 'far' }, AbortSignal.timeout(60_000));
  await expect(late).rejects.toMatchObject({ code: 'SiteFenced' });
});
