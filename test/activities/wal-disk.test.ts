/** A server whose log has a small disk of its own, which a slot that nobody reads from fills. */
import { execFile } from 'node:child_process';
import { chown, mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import { workflowIds, type BackupResult, type Progress } from '../../src/workflows/contract.ts';
import { serverAccount, startPostgres, type PostgresServer } from '../support/postgres.ts';
import { eventually } from '../workflows/stage.ts';
import { makeSite, type Site } from './site.ts';

const run = promisify(execFile);
const SLOT = `SELECT count(*)::int FROM pg_replication_slots WHERE slot_name = 'holdfast_main'`;
const DISK_MIB = 64;

let server: PostgresServer;
let site: Site;
let disk: string;
let mounted = false;

beforeAll(async () => {
  // No more is kept for anybody than what the slot asks for.
  const settings = { wal_keep_size: 0, min_wal_size: '2MB', max_wal_size: '4MB', checkpoint_timeout: '1h' };
  server = await startPostgres({ walSegmentMiB: 1, settings });
  disk = path.join(server.base, 'log-disk');
  await mkdir(disk);
  mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', disk]).then(
    () => true,
    () => false,
  );
  if (!mounted) return;
  await server.stop();
  const place = path.join(disk, 'pg_wal');
  await run('cp', ['-a', path.join(server.data, 'pg_wal'), place]);
  const account = serverAccount();
  if (account !== undefined) await chown(disk, account.uid, account.gid);
  await rename(path.join(server.data, 'pg_wal'), path.join(server.base, 'pg_wal.before'));
  await run('ln', ['-s', place, path.join(server.data, 'pg_wal')]);
  await server.start();
  site = await makeSite(() =>
    [
      'components:',
      '  main:',
      '    kind: postgres',
      '    method: base',
      `    dataDirectory: ${server.data}`,
      `    server: { address: 127.0.0.1, port: ${server.port}, backup: { user: postgres } }`,
      '    wal: { store: disk, every: 1s }',
      'plans:',
      '  base: { components: [main], stores: [disk], keep: { last: 5 } }',
    ].join('\n'),
  );
  await site.startWorkers();
});

afterAll(async () => {
  if (mounted) await site[Symbol.asyncDispose]();
  await server.stop('immediate');
  if (mounted) await run('umount', ['--lazy', disk]);
  await server.dispose();
});

const waitsFor = async (handle: WorkflowHandle): Promise<string> =>
  (await handle.query<Progress>('progress')).waitingFor ?? '';

/** One segment of the log. */
async function writeOne(): Promise<void> {
  await server.sql(`CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (1)`);
  await server.sql('SELECT pg_switch_wal()');
}

describe('[T1] a slot that fills the disk of the log', () => {
  test('the store is away: an alarm when half is full, the slot goes before the server stops, base and log follow', async (context) => {
    if (!mounted) context.skip('this machine allows no mount: only root may');
    const handle = await site.env.client.workflow.start('receiveWal', {
      taskQueue: ORCHESTRATION_QUEUE,
      workflowId: workflowIds.receiveWal(site.system, 'main'),
      args: [{ system: site.system, component: 'main' }],
    });
    await eventually('the slot is there', async () => (await server.value(SLOT)) === 1 || undefined);
    const place = path.join(site.directory, 'store');
    await rename(place, `${place}.away`);

    let written = 0;
    for (; written < DISK_MIB * 0.6 && (await waitsFor(handle)) === ''; written += 1) {
      await writeOne();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await eventually('an operator is asked', async () => (await waitsFor(handle)).includes('holds back') || undefined);
    expect(await server.value(SLOT)).toBe(1);
    expect(await site.holdfast('status').catch((error: unknown) => (error as { stdout: string }).stdout)).toContain(
      'the slot is dropped, so that',
    );
    for (; written < DISK_MIB && (await server.value(SLOT)) === 1; written += 1) {
      await writeOne();
      // Slower than it is looked at, as a real disk is larger.
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await eventually('the slot is dropped', async () => (await server.value(SLOT)) === 0 || undefined);
    await eventually('and that is said', async () => (await waitsFor(handle)).includes('was dropped') || undefined);

    // The server lives, and its disk is free again with the next checkpoint.
    for (let round = 0; round < 3; round += 1) {
      await writeOne();
      await server.sql('CHECKPOINT');
    }
    const { stdout } = await run('df', ['--output=pcent', disk]);
    expect(Number(/(\d+)%/.exec(stdout)?.[1])).toBeLessThan(50);

    await rename(`${place}.away`, place);
    await eventually('the log is received again', async () => (await server.value(SLOT)) === 1 || undefined);
    await eventually(
      'nobody is asked any more',
      async () => !(await waitsFor(handle)).includes('operator') || undefined,
    );
    const { outcome } = await site.run<BackupResult>('backup', { system: site.system, plan: 'base' });
    // Skipped: the base that follows a gap by itself is under way.
    expect(['done', 'skipped']).toContain(outcome);
    await handle.cancel();
    await handle.result().catch(() => undefined);
  });
});
