import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { recordAcknowledged } from '../support/postgres/acknowledged.ts';

const run = promisify(execFile);
const servers: PostgresServer[] = [];
const startOne = async (options: Parameters<typeof startPostgres>[0]) => {
  const server = await startPostgres(options);
  servers.push(server);
  return server;
};

afterAll(async () => {
  for (const server of servers) await server.dispose();
});

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('waited for a minute');
    await delay(50);
  }
}

describe('the PostgreSQL servers that tests run on', () => {
  it('two servers: data checksums, settings as asked, a system identifier each', async () => {
    const [first, second] = await Promise.all([
      startOne({ settings: { wal_level: 'logical', max_wal_senders: 3 } }),
      startOne({ walSegmentMiB: 1 }),
    ]);
    expect(await first.value('SHOW data_checksums')).toBe('on');
    expect(await first.value('SHOW wal_level')).toBe('logical');
    expect(await first.value('SHOW max_wal_senders')).toBe('3');
    expect(await first.value('SHOW wal_segment_size')).toBe('16MB');
    expect(await second.value('SHOW wal_segment_size')).toBe('1MB');
    const identifier = 'SELECT system_identifier::text FROM pg_control_system()';
    expect(await first.value(identifier)).not.toBe(await second.value(identifier));
    expect(await first.tool('psql', ['-Atc', 'SELECT 40 + 2'])).toBe('42\n');
  });

  it('passwords: a wrong one is refused by port and by socket, a role gets in with its own', async () => {
    const server = await startOne({ passwords: true });
    await server.sql(`CREATE ROLE keeper LOGIN PASSWORD 'its:own\\'`);
    expect(await server.value('SELECT current_user', { user: 'keeper', password: 'its:own\\' })).toBe('keeper');
    await expect(server.sql('SELECT 1', { user: 'keeper', password: 'other' })).rejects.toThrow(/password/);
    const bySocket = run(join(server.bin, 'psql'), ['-h', server.socket, '-p', String(server.port), '-U', 'postgres'], {
      env: { PGPASSWORD: 'other' },
    });
    await expect(bySocket).rejects.toThrow(/password authentication failed/);
    expect(await server.tool('psql', ['-h', server.socket, '-Atc', 'SELECT 1'])).toBe('1\n');
  });

  it('killed: no process of it is left, what was committed is there after a start', async () => {
    const server = await startOne({});
    await server.sql('CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
    const { data } = server;
    const sleeper = server.sql('SELECT pg_sleep(600)').catch((error: unknown) => String(error));
    const asleep = `SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'`;
    await until(async () => (await server.value(asleep)) === 1);
    await server.kill();
    expect(await sleeper).toMatch(/terminated|ECONNRESET|closed/);
    expect(server.isRunning()).toBe(false);
    const { stdout } = await run('sh', ['-c', 'for p in /proc/[0-9]*; do readlink "$p/cwd"; done || true']);
    expect(stdout).not.toContain(data);
    await server.start();
    expect(await server.value('SELECT count(*)::int FROM t')).toBe(1000);
    await server.restart();
    expect(await server.log()).toMatch(/not properly shut down/);
  });

  it('a standby: in recovery, and follows', async () => {
    const primary = await startOne({ passwords: true });
    const standby = await primary.standby();
    await primary.sql('CREATE TABLE t AS SELECT 7 AS n');
    expect(await standby.value('SELECT pg_is_in_recovery()')).toBe(true);
    await until(async () => (await standby.value(`SELECT to_regclass('t') IS NOT NULL`)) === true);
    expect(await standby.value('SELECT n FROM t')).toBe(7);
    const { base } = standby;
    await primary.dispose();
    expect([existsSync(base), existsSync(primary.base)]).toEqual([false, false]);
  });

  it('the test process is killed: its server ends and its directory goes', async () => {
    const program = `
      import { startPostgres } from '${new URL('../support/postgres.ts', import.meta.url).href}';
      const server = await startPostgres();
      console.log(server.pid, server.base);
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    await until(() => said.includes('\n'));
    const [pid = '', base = ''] = said.trim().split(' ');
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    child.kill('SIGKILL');
    await until(() => !existsSync(base) && !existsSync(`/proc/${pid}`));
  });
});

describe('the client that knows what was acknowledged', () => {
  it('a copy taken while it wrote: what it lost is told in seconds; the server itself, killed: nothing', async () => {
    const server = await startOne({});
    const recorder = await recordAcknowledged(server);
    await until(() => recorder.count() > 50);
    const standby = await server.standby();
    const beforeMs = performance.now();
    // Then all that was acknowledged before this moment is there, whatever else two writers had under way.
    const enough = recorder.count() + 10;
    await until(async () => Number(await standby.value('SELECT count(*) FROM holdfast_acknowledged')) >= enough);
    await standby.sql('SELECT pg_wal_replay_pause()');
    await until(async () => (await standby.value('SELECT pg_get_wal_replay_pause_state()')) === 'paused');
    const cutAt = recorder.count();
    await until(() => recorder.count() > cutAt + 50);
    const killedAtMs = performance.now();
    await server.kill();
    await recorder.ended();
    const loss = await recorder.lossOn(standby, killedAtMs);
    expect(loss.lost).toBeGreaterThanOrEqual(50);
    expect(loss.acknowledged).toBe(recorder.count());
    expect(loss.seconds).toBeGreaterThan(0);
    expect(loss.seconds * 1000).toBeLessThanOrEqual(killedAtMs - beforeMs);
    await server.start();
    expect(await recorder.lossOn(server, killedAtMs)).toMatchObject({
      acknowledged: loss.acknowledged,
      lost: 0,
      seconds: 0,
    });
    await server.sql(`UPDATE holdfast_acknowledged SET word = 'other' WHERE writer = 0 AND number = 1`);
    await expect(recorder.lossOn(server, killedAtMs)).rejects.toThrow(/0\/1 was never sent/);
  });
});
