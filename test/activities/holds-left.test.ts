import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { holdsLeft, letGoOfLeft } from '../../src/activities/holds-left.ts';
import type { Asker, Run } from '../../src/activities/shell.ts';
import type { SiteSeen } from '../../src/activities/site-watch/look.ts';
import { log } from '../../src/observe/log.ts';
import { FAILOVER_HOLD, holdStack, stackHolds } from '../../src/sites/holds.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-holds-'));
  vi.stubEnv('HOLDFAST_HOME', directory);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

test('[M7] a run that held the stack was terminated: told; let go of where another site is active, never what a person holds', async () => {
  const open = new Set(['run-1', 'run-2', 'run-3']);
  const asker = {
    stillRuns: ({ workflowId, runId }) => Promise.resolve(open.has(runId) || open.has(workflowId)),
  } as Asker;
  await holdStack('shop', 'restore-1', { workflowId: 'shop/restore', runId: 'run-1' });
  await holdStack('shop', FAILOVER_HOLD, { workflowId: 'shop/failover', runId: 'run-2' });
  await holdStack('shop', 'prepare-3', { workflowId: 'shop/standby', runId: 'run-3' });
  await holdStack('shop', 'ann');
  const left = async (by: Asker | undefined = asker) =>
    (await holdsLeft('shop', by)).map(({ name }) => name).toSorted();
  expect(await left()).toEqual([]);

  for (const run of ['run-1', 'run-2']) open.delete(run);
  expect(await left()).toEqual([FAILOVER_HOLD, 'restore-1']);
  expect(await holdsLeft('shop', undefined)).toEqual([]);
  // Another restore may be the one that needs it.
  open.add('shop/restore');
  expect(await left()).toEqual([]);
  open.delete('shop/restore');

  const look = (site: string) => {
    const seen = { system: { name: 'shop', site: 'home' }, newest: { n: 2, site, cleared: {} } };
    return letGoOfLeft()(seen as SiteSeen, { asker, log: log('test') } as Run);
  };
  await look('home');
  expect(await stackHolds('shop')).toHaveLength(4);
  await look('far');
  expect((await stackHolds('shop')).toSorted()).toEqual(['ann', FAILOVER_HOLD, 'prepare-3']);
});
