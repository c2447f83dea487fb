/** A database cluster from its system file: base backups, the log beside them, points in time, replaced in place. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHostContext } from '../../src/activities/host-context.ts';
import { parseSegmentName } from '../../src/policy/lsn.ts';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { takeBack } from '../postgres/cluster-component.ts';
import { HOST, makeSite, type Site } from './site.ts';

const MIB = 1 << 20;
let server: PostgresServer;
let site: Site;
let archive: string;
const noted: { time: string; lsn: string }[] = [];

beforeAll(async () => {
  server = await startPostgres({ walSegmentMiB: 1, settings: { archive_mode: 'on', max_wal_senders: 3 } });
  archive = path.join(server.base, 'archive');
  await server.configure({ archive_command: `mkdir -p ${archive} && cp %p ${archive}/%f` });
  await server.sql('SELECT pg_reload_conf()');
  await server.sql('CREATE TABLE commits (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())');
  site = await makeSite(() =>
    [
      'components:',
      '  database:',
      '    kind: postgres',
      '    tier: critical',
      '    method: base',
      '    server:',
      `      port: ${server.port}`,
      `      tools: ${server.bin}`,
      '      backup: { user: postgres }',
      `    dataDirectory: ${server.data}`,
      '    wal: { mode: archive, archiveDirectory: /nowhere, store: disk }',
      '    checks:',
      '      requiredTables: [commits]',
      '      minimumRows: { commits: 1 }',
      '      assertions: [{ name: ids are dense, sql: SELECT count(*) = max(id) FROM commits }]',
      'plans:',
      '  daily:',
      '    components: [database]',
      '    stores: [disk]',
      '    keep: { last: 5 }',
    ].join('\n'),
  );
  await site.startWorker('orchestration');
  await site.startWorker('host');
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await server.dispose();
});

async function commit(id: number): Promise<void> {
  await server.sql(`INSERT INTO commits (id) VALUES (${id})`);
  const [row] = await server.sql(
    `SELECT pg_current_wal_lsn()::text AS lsn, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time`,
  );
  noted.push({ time: String(row?.['time']), lsn: String(row?.['lsn']) });
}

/** Everything committed so far is in the vault, as a receiver of the log would have brought it there. */
async function storeLog(): Promise<void> {
  const coversUntilMs = Date.parse(String(await server.value(`SELECT clock_timestamp()::text`)));
  const last = String(await server.value('SELECT pg_walfile_name(pg_switch_wal())'));
  await eventually('the segment is archived', async () => (await readdir(archive)).includes(last) || undefined);
  const systemIdentifier = String(await server.value('SELECT system_identifier::text FROM pg_control_system()'));
  process.env['HOLDFAST_HOME'] = path.join(site.directory, 'home');
  const context = createHostContext(HOST);
  try {
    const system = await context.system(site.system);
    await context.withWalWriter(system, { store: 'disk', component: 'database' }, async (writer) => {
      for (const name of (await readdir(archive)).sort()) {
        const place = parseSegmentName(name, MIB);
        if (place === undefined) continue;
        const bytes = await readFile(path.join(archive, name));
        const piece = { systemIdentifier, timeline: place.timeline, segmentBytes: MIB, from: place.start, bytes };
        const covers = name === last ? { coversUntilMs } : {};
        await writer.storeRange({ ...piece, receivedAtMs: Date.now(), ...covers });
      }
      await writer.sync();
    });
  } finally {
    await context.close();
  }
}

const rows = () => server.value('SELECT count(*)::int FROM commits');

async function approveRestore(input: object): Promise<{ plan: RestorePlan; result: RestoreResult }> {
  const handle = await site.start('restore', input);
  await waitingFor(handle, 'approval');
  const plan = await handle.query<RestorePlan>('plan');
  await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
  return { plan, result: (await handle.result()) as RestoreResult };
}

describe('a database cluster', () => {
  test('backed up, its log kept: list says what can be reached, and anything else is refused with the nearest [T1] [G2]', async () => {
    await commit(1);
    const taken = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(taken).toMatchObject({ outcome: 'done', verified: { ok: true } });
    await commit(2);
    await commit(3);
    await storeLog();

    const listed = JSON.parse(await site.holdfast('list', site.system, '--json')) as {
      reachable: { component: string; times: { from: string; to: string }[] }[];
    };
    const [times] = listed.reachable[0]?.times ?? [];
    expect(Date.parse(times?.from ?? '')).toBeLessThan(Date.parse(noted[1]?.time ?? ''));
    expect(Date.parse(times?.to ?? '')).toBeGreaterThanOrEqual(Date.parse(noted[2]?.time ?? ''));
    expect(await site.holdfast('show', site.system, 'latest')).toContain('database can be restored to');
    await expect(site.run('restore', { recoverTo: 'time:2999-01-01T00:00:00Z', mode: 'plan' })).rejects.toMatchObject({
      cause: { message: expect.stringContaining(times?.to ?? 'no time') as string },
    });
    await expect(site.run('restore', { recoverTo: 'yesterday', mode: 'plan' })).rejects.toThrow();
  });

  test('two points in time: two digests; the one that is approved is put in place of the running server [T1]', async () => {
    const planned = await site.run<RestoreResult>('restore', { recoverTo: `lsn:${noted[2]?.lsn ?? ''}`, mode: 'plan' });
    const { plan, result } = await approveRestore({
      recoverTo: `time:${noted[1]?.time ?? ''}`,
      skipSafetyBackup: true,
    });
    expect(plan.digest).not.toBe(planned.plan.digest);
    expect(plan).toMatchObject({ recoverTo: `time:${noted[1]?.time ?? ''}`, pointAt: noted[1]?.time });
    expect(result).toMatchObject({ outcome: 'restored' });
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(result.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['started', 'recovery', 'table commits', 'ids are dense']),
    );
    expect(result.aside).toHaveLength(1);
    expect(await rows()).toBe(2);
    await takeBack(server);
  });
});
