/** Rows deleted by accident, put back as they were at the moment before, out of a base backup and the log received since. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseLsn } from '../../src/policy/lsn.ts';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import { workflowIds, type RowsResult } from '../../src/workflows/contract.ts';
import { approvedRows, jsonOf, previewedRows } from '../activities/rows-helpers.ts';
import { makeSite, type Site } from '../activities/site.ts';
import { startPostgres, type PostgresServer, type Row } from '../support/postgres.ts';
import { failureOf } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let site: Site;
let server: PostgresServer;
/** By the server's clock: after the orders were made, before they were deleted. */
let before = '';
let beforeLsn = '';

const shop = (text: string): Promise<Row[]> => server.sql(text, { database: 'shop' });
const count = async (what: string): Promise<number> =>
  Number(await server.value(`SELECT count(*)::int FROM ${what}`, { database: 'shop' }));
const NOW = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

beforeAll(async () => {
  server = await startPostgres({ walSegmentMiB: 1 });
  await server.sql('CREATE DATABASE shop');
  await shop(`CREATE TYPE state AS ENUM ('open', 'paid');
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id serial PRIMARY KEY, customer int NOT NULL REFERENCES customers, state state NOT NULL, cents int);
    CREATE TABLE rates (name text PRIMARY KEY, value numeric);
    INSERT INTO customers SELECT g, 'customer ' || g FROM generate_series(1, 5) g;
    INSERT INTO orders (customer, state, cents) SELECT g % 5 + 1, 'open', g FROM generate_series(1, 50) g;
    INSERT INTO rates VALUES ('vat', 7.7)`);
  site = await makeSite(() =>
    [
      'components:',
      '  cluster:',
      '    kind: postgres',
      '    method: base',
      `    server: { address: 127.0.0.1, port: ${server.port}, backup: { user: postgres } }`,
      '    wal: { store: disk, every: 1s, slotBound: 1GiB }',
      'plans:',
      '  base: { components: [cluster], stores: [disk] }',
    ].join('\n'),
  );
  await site.startWorker('orchestration');
  await site.startWorker('host');
  await site.env.client.workflow.start('receiveWal', {
    taskQueue: ORCHESTRATION_QUEUE,
    workflowId: workflowIds.receiveWal(site.system, 'cluster'),
    args: [{ system: site.system, component: 'cluster' }],
  });
  expect(await site.run('backup', { plan: 'base' })).toMatchObject({ outcome: 'done' });

  // After the backup: only the log has these.
  await shop(`INSERT INTO orders (customer, state, cents) SELECT 2, 'paid', g FROM generate_series(1, 30) g;
    UPDATE rates SET value = 8.1 WHERE name = 'vat'`);
  [{ before, beforeLsn }] = (await shop(
    `SELECT ${NOW} AS before, pg_current_wal_lsn()::text AS "beforeLsn"`,
  )) as unknown as [{ before: string; beforeLsn: string }];
  await sleep(20);
  await shop('DELETE FROM orders WHERE customer = 2');
  await shop(`INSERT INTO orders (customer, state, cents) VALUES (3, 'open', 4711); UPDATE customers SET name = 'renamed' WHERE id = 1;
    DROP TABLE rates`);
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await server.dispose();
});

/** Until what is committed now is in the store. */
async function received(): Promise<void> {
  const lsn = String(await server.value('SELECT pg_current_wal_flush_lsn()'));
  await eventually(`the log is received up to ${lsn}`, async () => {
    const confirmed = await server.value('SELECT restart_lsn::text FROM pg_replication_slots');
    return (typeof confirmed === 'string' && parseLsn(confirmed) >= parseLsn(lsn)) || undefined;
  });
}

const putBack = (input: object) => approvedRows(site, { component: 'cluster', ...input });

/** What of all that was made for it is still there. */
async function leftovers(): Promise<string[]> {
  const rows = await server.sql(`SELECT datname FROM pg_database WHERE datname ~ '__(rows|make)_'`);
  const notes = path.join(site.directory, 'home/state', site.system, 'scratch-servers');
  return [...rows.map(({ datname }) => String(datname)), ...(await readdir(notes).catch(() => []))];
}

describe('rows of a cluster as it was at a moment', () => {
  test('deleted at 14:03, put back from 14:02: the rows of that moment, and what others changed since stays [B8] [W4] [T9]', async () => {
    await received();
    const others = await shop('SELECT * FROM orders ORDER BY id');
    const where = ['--table', 'orders', '--where', 'customer = 2', '--to-time', before];
    const look = await jsonOf<RowsResult>(site, 'rows', site.system, 'cluster', ...where, '--dry-run');
    expect(look).toMatchObject({
      outcome: 'planned',
      plan: {
        recoverTo: `time:${before}`,
        pointAt: before,
        // Ten were in the backup, thirty came after it.
        tables: [{ table: 'orders', matchedBy: 'primary key', selected: 40, missing: 40, conflicts: [], same: 0 }],
      },
    });
    expect(await leftovers()).toEqual([]);

    const recoverTo = `time:${before}`;
    const input = { component: 'cluster', table: 'orders', where: 'customer = 2', recoverTo };
    const { handle, plan } = await previewedRows(site, input);
    expect(plan.digest).toBe(look.plan.digest);
    // While a person looks, only the separate database is there; the recovered cluster is gone already.
    expect(await leftovers()).toEqual([plan.copy]);
    expect(await server.value('SELECT count(*)::int FROM orders', { database: plan.copy })).toBe(80);
    await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    expect(await handle.result()).toMatchObject({ outcome: 'restored', added: 40, replaced: 0 });

    expect(
      await shop(`SELECT state::text, count(*)::int AS n, sum(cents)::int AS cents FROM orders WHERE customer = 2
      GROUP BY 1 ORDER BY 1`),
    ).toEqual([
      { state: 'open', n: 10, cents: 1 + 6 + 11 + 16 + 21 + 26 + 31 + 36 + 41 + 46 },
      { state: 'paid', n: 30, cents: 465 },
    ]);
    expect(await shop('SELECT * FROM orders WHERE customer <> 2 ORDER BY id')).toEqual(others);
    expect(await count(`customers WHERE name = 'renamed'`)).toBe(1);
    expect(await leftovers()).toEqual([]);
  });

  test('to a position of the log, a table that was dropped since: made again with its rows of that moment', async () => {
    await received();
    const { plan, result } = await putBack({ table: 'rates', recoverTo: `lsn:${beforeLsn}`, database: 'shop' });
    expect(Date.parse(plan.pointAt)).toBeLessThanOrEqual(Date.parse(before));
    expect(result).toMatchObject({ outcome: 'restored', added: 1 });
    expect(await shop('SELECT name, value::text FROM rates')).toEqual([{ name: 'vat', value: '8.1' }]);
    expect(await leftovers()).toEqual([]);
  });

  test('without a moment: as at the backup, with rows that differ restored when asked for', async () => {
    await shop(`UPDATE customers SET name = 'garbled' WHERE id > 2`);
    const { plan, result } = await putBack({ table: 'customers', where: 'id > 2', onChanged: 'restore' });
    expect(plan).toMatchObject({ tables: [{ missing: 0, changed: 3 }] });
    expect(plan.recoverTo).toBeUndefined();
    expect(result).toMatchObject({ outcome: 'restored', replaced: 3 });
    expect(await count(`customers WHERE name LIKE 'customer %'`)).toBe(4);
  });

  test('a moment that is not reached, a database that is not there: refused, and nothing stays', async () => {
    const ask = (more: object) =>
      failureOf(site.run('restoreRows', { component: 'cluster', table: 'orders', mode: 'plan', ...more }));
    expect((await ask({ recoverTo: 'time:2020-01-01T00:00:00Z' })).type).toBe('Unreachable');
    expect((await ask({ recoverTo: 'time:yesterday' })).type).toBe('BadInput');
    expect((await ask({ database: 'nope' })).message).toMatch(/no database nope; it has postgres, shop/);
    expect(await leftovers()).toEqual([]);
  });
});
