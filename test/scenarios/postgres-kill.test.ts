import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { receiveLog } from '../../sample/stack/log-receiver.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import type { BackupResult, RestoreResult } from '../../src/workflows/contract.ts';
import { environmentOf, serverDirectory, startPostgresOn } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { recordAcknowledged } from '../support/postgres/acknowledged.ts';
import { LIMIT_MS, PostgresSite } from './postgres-site.ts';

const BENCH = { database: 'bench' };
let site: PostgresSite;
/** Of the first test, for the one after it: how many rows were acknowledged at a moment, and how many there were at last. */
let loadedAtMs = 0;
let rowsWhenLoaded = 0;
let rowsAtEnd = 0;

beforeAll(async () => {
  site = await PostgresSite.open('tracktion', (server) => ({
    cluster: { kind: 'postgres', method: 'base', server, wal: { store: 'disk', every: '1s', slotBound: '1GiB' } },
  }));
  await site.server.sql('CREATE DATABASE bench');
  await site.server.tool('pgbench', ['--initialize', '--quiet', '--scale=1', 'bench']);
}, LIMIT_MS);
afterAll(() => site.close(), LIMIT_MS);

async function countOn(server: PostgresServer): Promise<number> {
  return Number(await server.value('SELECT count(*) FROM holdfast_acknowledged', BENCH));
}

/** Runs until its server is gone. */
async function pgbench(server: PostgresServer): Promise<void> {
  const env = { PATH: process.env['PATH'], ...environmentOf(server.connection(BENCH)) };
  const args = ['--client=2', '--jobs=1', '--time=3600', '--rate=200', '--no-vacuum'];
  const child = spawn(join(server.bin, 'pgbench'), args, { env, stdio: 'ignore' });
  await once(child, 'close');
}

test(
  '[T1] [T9] [G5] killed with SIGKILL under pgbench and its disk thrown away: on a new cluster is every transaction that was acknowledged before the recovery point that was stated',
  { timeout: 4 * LIMIT_MS, retry: 0 },
  async () => {
    const { holdfast, server, system } = site;
    const receiver = await receiveLog(site.up.address, system, 'cluster');
    const recorder = await recordAcknowledged(server, BENCH);
    const load = pgbench(server);
    const base = await holdfast.ask<BackupResult>('backup', system, 'all');
    expect(base.outcome).toBe('done');

    // Far enough that what came after the base has to be replayed, with a segment switched on the way.
    const acknowledged = recorder.count();
    loadedAtMs = Date.now();
    rowsWhenLoaded = acknowledged;
    const stated = await waitFor('the stated recovery point to pass the base', LIMIT_MS, async () => {
      if (recorder.count() < acknowledged + 200) return undefined;
      const { recoveryPointAt } = (await receiver.progress()) ?? {};
      return recoveryPointAt !== undefined && Date.parse(recoveryPointAt) > loadedAtMs ? recoveryPointAt : undefined;
    });
    const killedAtMs = performance.now();
    await server.kill();
    await Promise.all([recorder.ended(), load]);
    await rm(server.data, { recursive: true });

    const directory = await serverDirectory(site.directory);
    const target = join(directory, 'data');
    const args = ['--component', 'cluster', '--to-end', '--target', target];
    const restored = await holdfast.ask<RestoreResult>('restore', system, ...args);
    expect(restored.checks.filter(({ ok }) => !ok)).toEqual([]);
    await using recovered = await startPostgresOn({ bin: server.bin, base: directory, data: target, passwords: true });

    const loss = await recorder.lossOn(recovered, killedAtMs);
    expect(loss.acknowledged).toBeGreaterThan(acknowledged + 200);
    expect(loss.oldestLostAtMs).toBeGreaterThanOrEqual(Date.parse(stated));
    // More came back than the base holds, whole transactions only, and the new cluster takes writes.
    expect(await countOn(recovered)).toBeGreaterThan(acknowledged);
    const balances = `SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
      AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers)`;
    expect(await recovered.value(balances, BENCH)).toBe(true);
    await recovered.sql('CREATE TABLE goes_on AS SELECT 1 AS n', BENCH);
    await recovered.tool('pg_amcheck', ['--install-missing', '--database=bench']);
    rowsAtEnd = await countOn(recovered);
    await receiver.stop();
  },
);

test('[T9] [G2] the same loss, to a moment between the backup and the kill: what was acknowledged before it and less than at the end; a moment before everything is refused', async () => {
  const { holdfast, server, system } = site;
  const directory = await serverDirectory(site.directory);
  const target = join(directory, 'data');
  const to = (ms: number) => ['--component', 'cluster', '--to-time', new Date(ms).toISOString(), '--target', target];
  const refused = await holdfast.run('restore', system, ...to(loadedAtMs - 86_400_000));
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("can't be reached");
  await holdfast.ask<RestoreResult>('restore', system, ...to(loadedAtMs));
  await using recovered = await startPostgresOn({ bin: server.bin, base: directory, data: target, passwords: true });
  const rows = await countOn(recovered);
  expect(rows).toBeGreaterThanOrEqual(rowsWhenLoaded);
  expect(rows).toBeLessThan(rowsAtEnd);
});
