/** The write-ahead log of a real server, received by real workers, read back from the store. */
import path from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseLsn } from '../../src/policy/lsn.ts';
import { openStore } from '../../src/stores/index.ts';
import { readWalInventory, type WalCluster } from '../../src/vault/index.ts';
import { workflowIds, type ActivityProgress, type WalProgress } from '../../src/workflows/contract.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, type Site } from './site.ts';

const LOG = 'main';

let server: PostgresServer;
let site: Site;

function systemRest(port: number): string {
  return [
    'components:',
    `  ${LOG}:`,
    '    kind: postgres',
    '    method: base',
    '    server:',
    '      address: 127.0.0.1',
    `      port: ${port}`,
    '      backup: { user: postgres }',
    '    wal: { store: disk, every: 1s, slotBound: 64MiB }',
    'plans:',
    `  base: { components: [${LOG}], stores: [disk], keep: { last: 5 } }`,
  ].join('\n');
}

beforeAll(async () => {
  server = await startPostgres({ walSegmentMiB: 1 });
  site = await makeSite(() => systemRest(server.port));
  await site.startWorker('orchestration');
  await site.startWorker('host');
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await server.dispose();
});

function receiving(): Promise<WorkflowHandle> {
  return site.env.client.workflow.start('receiveWal', {
    taskQueue: 'holdfast',
    workflowId: workflowIds.receiveWal(site.system, LOG),
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [{ system: site.system, component: LOG }],
  });
}

async function inventory(): Promise<WalCluster | undefined> {
  const config = {
    name: 'disk',
    kind: 'directory',
    path: path.join(site.directory, 'store'),
    mustBeMounted: false,
  } as const;
  const store = await openStore(config, () => Promise.reject(new Error('no secret')));
  try {
    return (await readWalInventory(store, LOG)).at(-1);
  } finally {
    await store.close();
  }
}

async function stored(lsn: string, timeline = 1): Promise<WalCluster> {
  return eventually(`the log is stored up to ${lsn} of timeline ${timeline}`, async () => {
    const cluster = await inventory();
    const reached = cluster?.intervals.some((one) => one.timeline === timeline && one.to >= parseLsn(lsn));
    return reached === true ? cluster : undefined;
  });
}

async function progress(handle: WorkflowHandle): Promise<WalProgress | undefined> {
  const { raw } = await handle.describe();
  const payload = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
  return payload === undefined ? undefined : defaultPayloadConverter.fromPayload<ActivityProgress>(payload).wal;
}

async function write(rows: number): Promise<string> {
  await server.sql(`CREATE TABLE IF NOT EXISTS t (n int, filler text);
    INSERT INTO t SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, ${rows}) n;`);
  return String(await server.value('SELECT pg_current_wal_flush_lsn()'));
}

describe('[T1] [G2] a log that is streamed', () => {
  test('traffic: segments and the unfinished one arrive without a gap, and the recovery point follows', async () => {
    const lsn = await write(20_000);
    const handle = await receiving();
    const cluster = await stored(lsn);
    expect(cluster.intervals).toHaveLength(1);
    expect(cluster.gaps).toEqual([]);
    const seen = await eventually('the heartbeat tells', async () => {
      const wal = await progress(handle);
      return wal?.storedLsn !== undefined && wal.recoveryPointAt !== undefined ? wal : undefined;
    });
    expect(parseLsn(seen.storedLsn ?? '')).toBeGreaterThanOrEqual(parseLsn(lsn));
  });
});
