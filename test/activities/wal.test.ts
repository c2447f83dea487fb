/** The write-ahead log of real servers, received by real workers, read back from the store. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failAttemptsOfDead } from '../../src/engine/recover.ts';
import { parseLsn } from '../../src/policy/lsn.ts';
import { openStore } from '../../src/stores/index.ts';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import { readWalInventory, type WalCluster } from '../../src/vault/index.ts';
import { workflowIds, type ActivityProgress, type Progress, type WalProgress } from '../../src/workflows/contract.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, type Site } from './site.ts';

const EVERY = '1s';
const SLOT = 'holdfast_main';
const SLOT_IN_USE = `SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = '${SLOT}' AND active`;

let server: PostgresServer;
let archived: PostgresServer;
let site: Site;
let archive: string;

function component(name: string, port: number, wal: string): string[] {
  return [
    `  ${name}:`,
    '    kind: postgres',
    '    method: base',
    '    server:',
    '      address: 127.0.0.1',
    `      port: ${port}`,
    '      backup: { user: postgres }',
    `    wal: { store: disk, every: ${EVERY}, ${wal} }`,
  ];
}

let standby: PostgresServer;

beforeAll(async () => {
  // No more is kept for anybody than what a slot asks for.
  const settings = { wal_keep_size: 0, min_wal_size: '2MB', max_wal_size: '4MB', checkpoint_timeout: '1h' };
  server = await startPostgres({ walSegmentMiB: 1, settings });
  archived = await startPostgres({ walSegmentMiB: 1, settings: { wal_keep_size: '256MB' } });
  standby = await archived.standby();
  site = await makeSite((data) => {
    archive = data('archive');
    return [
      'components:',
      ...component('main', server.port, 'slotBound: 32MiB'),
      ...component('standby', standby.port, 'slot: from_standby'),
      ...component('filed', archived.port, `mode: archive, archiveDirectory: ${archive}`),
      'plans:',
      '  base: { components: [main], stores: [disk], keep: { last: 5 } }',
    ].join('\n');
  });
  await mkdir(archive);
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await server.dispose();
  await archived.dispose();
});

function receiving(name = 'main'): Promise<WorkflowHandle> {
  return site.env.client.workflow.start('receiveWal', {
    taskQueue: ORCHESTRATION_QUEUE,
    workflowId: workflowIds.receiveWal(site.system, name),
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [{ system: site.system, component: name }],
  });
}

async function inventory(name = 'main'): Promise<WalCluster | undefined> {
  const place = path.join(site.directory, 'store');
  const config = { name: 'disk', kind: 'directory', path: place, mustBeMounted: false } as const;
  const store = await openStore(config, () => Promise.reject(new Error('a directory needs no secret')));
  try {
    return (await readWalInventory(store, name)).at(-1);
  } finally {
    await store.close();
  }
}

async function stored(lsn: string, { name = 'main', timeline = 1 } = {}): Promise<WalCluster> {
  return eventually(`the log of ${name} is stored up to ${lsn} of timeline ${timeline}`, async () => {
    const cluster = await inventory(name);
    const reached = cluster?.intervals.some((one) => one.timeline === timeline && one.to >= parseLsn(lsn));
    return reached === true ? cluster : undefined;
  });
}

async function progress(handle: WorkflowHandle): Promise<WalProgress | undefined> {
  const { raw } = await handle.describe();
  const payload = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
  return payload === undefined ? undefined : defaultPayloadConverter.fromPayload<ActivityProgress>(payload).wal;
}

async function write(rows: number, on = server): Promise<string> {
  await on.sql(`CREATE TABLE IF NOT EXISTS t (n int, filler text);
    INSERT INTO t SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, ${rows}) n;`);
  return String(await on.value('SELECT pg_current_wal_flush_lsn()'));
}

async function slotIs(free: boolean): Promise<void> {
  await eventually(`the slot is ${free ? 'free' : 'in use'}`, async () => {
    return (await server.value(SLOT_IN_USE)) === (free ? 0 : 1) || undefined;
  });
}

/** The log goes on behind the slot, and the server forgets what was before. */
async function forget(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await write(4_000);
    await server.sql('SELECT pg_switch_wal()');
    await server.sql('CHECKPOINT');
  }
}

async function backupsBegun(): Promise<number> {
  return site.env.client.workflow.count(`WorkflowType = 'backup'`).then(({ count }) => count);
}

describe('[T1] [G2] [W6] a log that is streamed', () => {
  test('traffic: blocks and the unfinished one arrive without a gap, the recovery point follows the clock', async () => {
    const handle = await receiving();
    const lsn = await write(20_000);
    const cluster = await stored(lsn);
    expect(cluster.intervals).toHaveLength(1);
    expect(cluster.gaps).toEqual([]);
    const first = await eventually('a recovery point', async () => (await progress(handle))?.recoveryPointAt);
    // Nothing is written, so that nothing is stored: it moves all the same.
    await eventually('it moves', async () => ((await progress(handle))?.recoveryPointAt ?? first) > first || undefined);
    const told = await site
      .holdfast('status', '--json')
      .catch((error: unknown) => (error as { stdout: string }).stdout);
    const { systems } = JSON.parse(told) as { systems: { logs: { component: string; received: boolean }[] }[] };
    expect(systems[0]?.logs.find((one) => one.component === 'main')).toMatchObject({ received: true, gaps: [] });
  });

  test('commits one by one: each is in the store soon after it was acknowledged', async () => {
    await receiving();
    const client: Client = await server.client();
    const delays: number[] = [];
    try {
      for (let n = 0; n < 5; n += 1) {
        await client.query('INSERT INTO t VALUES (1, $1)', ['x'.repeat(100)]);
        const at = Date.now();
        const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn() AS lsn');
        await stored(rows[0]?.lsn ?? '');
        delays.push(Date.now() - at);
      }
    } finally {
      await client.end();
    }
    console.log(`from acknowledged to stored, every ${EVERY}: ${delays.join(', ')} ms`);
    expect(Math.max(...delays)).toBeLessThan(30_000);
  });

  test('the host worker is killed under load, then the server: nothing is missing afterwards', async () => {
    await receiving();
    await slotIs(false);
    const [, host] = site.workers();
    const writing = write(30_000);
    if (host !== undefined) await site.kill(host);
    await writing;
    await site.startWorker('host');
    // As `up` does for the workers it has started; without it the heartbeat time-out gives the turn back.
    await eventually('the next worker receives', async () => {
      await failAttemptsOfDead(site.env.client, host?.pid ?? 0);
      return (await server.value(SLOT_IN_USE)) === 1 || undefined;
    });
    await stored(await write(100));
    await server.kill();
    await server.start();
    const cluster = await stored(await write(1_000));
    expect(cluster.intervals.filter(({ timeline }) => timeline === 1)).toHaveLength(1);
    expect(cluster.gaps).toEqual([]);
  });

  test('a second receiver for a moment: the slot lets only one in, and both store the same', async () => {
    await receiving();
    await slotIs(false);
    const other = await site.env.client.workflow.start('receiveWal', {
      taskQueue: ORCHESTRATION_QUEUE,
      workflowId: `${site.system}/wal/second`,
      args: [{ system: site.system, component: 'main' }],
    });
    await eventually('it is told that the slot is in use', async () => {
      return (await progress(other))?.trouble?.includes('active') === true || undefined;
    });
    await other.cancel();
    await other.result().catch(() => undefined);
    expect((await stored(await write(100))).gaps).toEqual([]);
  });

  test('the slot is dropped by somebody and the log removed: the gap is written down, and a base is begun at once', async () => {
    const handle = await receiving();
    await slotIs(false);
    const before = await backupsBegun();
    await handle.signal('pauseWal', { by: 'test' });
    await slotIs(true);
    await server.sql(`SELECT pg_drop_replication_slot('${SLOT}')`);
    await forget();
    await handle.signal('resumeWal', { by: 'test' });
    const cluster = await stored(await write(100));
    expect(cluster.gaps).toHaveLength(1);
    expect(cluster.intervals).toHaveLength(2);
    await eventually('a base backup is begun', async () => (await backupsBegun()) > before || undefined);
    const status = await site.holdfast('status').catch((error: unknown) => (error as { stdout: string }).stdout);
    expect(status).toContain('gap');
  });

  test('the bound is reached while nothing can be stored: the slot goes before the disk, an operator is asked, and it goes on', async () => {
    const handle = await receiving();
    await slotIs(false);
    const place = path.join(site.directory, 'store');
    await rename(place, `${place}.away`);
    for (let round = 0; round < 6; round += 1) await write(20_000);
    await eventually('the slot is dropped', async () => {
      return (
        (await server.value(`SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = '${SLOT}'`)) === 0 ||
        undefined
      );
    });
    await eventually('an operator is asked', async () => {
      const { waitingFor } = await handle.query<Progress>('progress');
      return waitingFor?.includes('dropped') === true || undefined;
    });
    await forget();
    await rename(`${place}.away`, place);
    const cluster = await stored(await write(100));
    expect(cluster.gaps.length).toBeGreaterThan(0);
  });
});

describe('[T1] [G2] a standby', () => {
  test('its log is received from it; promoted, the new timeline and its history follow', async () => {
    await receiving('standby');
    const lsn = await write(3_000, archived);
    const before = await stored(lsn, { name: 'standby' });
    expect(before.gaps).toEqual([]);
    await standby.sql('SELECT pg_promote()');
    await eventually(
      'it is promoted',
      async () => (await standby.value('SELECT pg_is_in_recovery()')) === false || undefined,
    );
    const cluster = await stored(await write(2_000, standby), { name: 'standby', timeline: 2 });
    expect(cluster.histories).toEqual([2]);
    expect(cluster.gaps).toEqual([]);
    const [first, second] = cluster.intervals;
    expect(second?.from).toBeLessThanOrEqual(first?.to ?? 0n);
  });
});

describe('[T1] [G2] an archive directory', () => {
  test('finished segments are stored and removed, half-written ones wait, a gap is found', async () => {
    const handle = await receiving('filed');
    await archived.sql('SELECT pg_switch_wal()');
    const names: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      names.push(String(await archived.value('SELECT pg_walfile_name(pg_current_wal_insert_lsn())')));
      await write(500, archived);
      await archived.sql('SELECT pg_switch_wal()');
    }
    const segment = (name: string): Promise<Buffer> => readFile(path.join(archived.data, 'pg_wal', name));
    const [first = '', second = '', , fourth = ''] = names;
    const whole = await segment(first);
    await writeFile(path.join(archive, first), whole.subarray(0, 300_000));
    await eventually('the half-written one is told of', async () => (await progress(handle))?.trouble?.includes(first));
    expect(await inventory('filed')).toBeUndefined();
    await writeFile(path.join(archive, first), whole);
    await writeFile(path.join(archive, second), await segment(second));
    await eventually('both are collected', async () => (await readdir(archive)).length === 0 || undefined);
    expect((await inventory('filed'))?.intervals).toHaveLength(1);
    await writeFile(path.join(archive, fourth), await segment(fourth));
    const cluster = await eventually('the gap is found', async () => {
      const found = await inventory('filed');
      return found?.gaps.length === 1 ? found : undefined;
    });
    expect(Number((cluster.gaps[0]?.to ?? 0n) - (cluster.gaps[0]?.from ?? 0n))).toBeGreaterThanOrEqual(1024 * 1024);
  });
});
