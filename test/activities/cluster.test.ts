/** A database cluster from its system file: base backups, the log beside them, points in time, replaced in place. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { workflowIds } from '../../src/workflows/contract.ts';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { takeBack } from '../postgres/cluster-component.ts';
import { makeSite, type Site } from './site.ts';

let server: PostgresServer;
let site: Site;
const noted: { time: string; lsn: string }[] = [];

beforeAll(async () => {
  server = await startPostgres({ walSegmentMiB: 1 });
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
      '    wal: { store: disk, every: 1s, slotBound: 64MiB }',
      '    checks:',
      '      requiredTables: [commits]',
      '      minimumRows: { commits: 1 }',
      '      assertions: [{ name: ids are dense, sql: SELECT count(*) = max(id) FROM commits }]',
      'plans:',
      '  daily:',
      '    components: [database]',
      '    stores: [disk]',
      '    keep: { last: 5 }',
      'checks:',
      '  commits: { sql: { component: database, query: select count(*) from commits, equals: 2 }, within: 60s }',
      'reconcile:',
      '  ids: { sql: { component: database, query: "select id, 2, id from commits where id > 1" } }',
    ].join('\n'),
  );
  await site.startWorkers();
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

/** A receiver streams the log into the vault, from before the first backup on. */
async function receiveLog(): Promise<void> {
  await site.env.client.workflow.start('receiveWal', {
    taskQueue: 'holdfast',
    workflowId: workflowIds.receiveWal(site.system, 'database'),
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [{ system: site.system, component: 'database' }],
  });
  await eventually('the log is streamed', async () => {
    const streaming = await server.value('SELECT count(*)::int FROM pg_replication_slots WHERE active');
    return streaming === 1 || undefined;
  });
}

interface Times {
  readonly from: string;
  readonly to: string;
}

async function reachable(): Promise<readonly Times[]> {
  const listed = JSON.parse(await site.holdfast('list', site.system, '--json')) as {
    reachable: readonly { component: string; times: readonly Times[] }[];
  };
  return listed.reachable.find(({ component }) => component === 'database')?.times ?? [];
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
    await receiveLog();
    await eventually('a backup', async () => {
      // The receiver asks for one by itself; a second run of the same plan beside it is skipped.
      const { outcome, verified } = await site.run<BackupResult>('backup', { plan: 'daily' });
      return (outcome === 'done' && verified?.ok === true) || undefined;
    });
    await commit(2);
    // Moments of a whole system are told by milliseconds.
    await server.sql('SELECT pg_sleep(0.1)');
    await commit(3);
    const third = Date.parse(noted[2]?.time ?? '');
    const times = await eventually('the third commit can be reached', async () => {
      const found = (await reachable()).at(-1);
      return found !== undefined && Date.parse(found.to) >= third ? found : undefined;
    });
    expect(Date.parse(times.from)).toBeLessThanOrEqual(Date.parse(noted[1]?.time ?? ''));
    expect(await site.holdfast('show', site.system, 'latest')).toContain('database can be restored to');
    await expect(site.run('restore', { recoverTo: 'time:2999-01-01T00:00:00Z', mode: 'plan' })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('the latest that can be restored is') as string },
    });
    await expect(site.run('restore', { recoverTo: 'yesterday', mode: 'plan' })).rejects.toThrow();
  });

  test('two points in time: two digests; a whole system before a time: as of that time, in place of the running server, validated [T1] [T9] [B7]', async () => {
    const planned = await site.run<RestoreResult>('restore', { recoverTo: `lsn:${noted[2]?.lsn ?? ''}`, mode: 'plan' });
    const recoverTo = `time:${noted[1]?.time ?? ''}`;
    const other = await site.run<RestoreResult>('restore', { recoverTo, mode: 'plan' });
    expect(other.plan.digest).not.toBe(planned.plan.digest);
    expect(other.plan).toMatchObject({ recoverTo, pointAt: noted[1]?.time });

    const newest = await site.run<RestoreResult>('restore', { whole: true, mode: 'plan' });
    expect(newest.plan.whole?.parts).toMatchObject([{ name: 'database', recoverTo: 'end', needed: true }]);
    const moment = new Date(Date.parse(noted[1]?.time ?? '') + 10).toISOString();
    const { plan, result } = await approveRestore({ whole: true, backup: `before:${moment}`, skipSafetyBackup: true });
    expect(plan.whole?.parts).toMatchObject([
      { recoverTo: expect.stringContaining('time:') as string, lostSeconds: 0 },
    ]);
    expect(result).toMatchObject({
      outcome: 'restored',
      whole: {
        checks: [{ name: 'commits', ok: true, detail: '2, equal to 2' }],
        reconcile: [{ outcome: 'differs', differenceCount: 1, kept: { count: 1 } }],
      },
    });
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(result.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['started', 'recovery', 'table public.commits', 'ids are dense']),
    );
    expect(result.aside).toHaveLength(1);
    expect(await rows()).toBe(2);
    await takeBack(server);
  });
});
