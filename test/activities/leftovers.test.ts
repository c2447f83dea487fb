/** What terminated runs and committed restores leave on a server goes with the next run; what is still wanted stays. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BackupResult, RestorePlan, RestoreResult, RowsResult } from '../../src/workflows/contract.ts';
import { alone } from '../../src/activities/leftovers.ts';
import type { AuditLog } from '../../src/status/audit-log.ts';
import type { HostContext } from '../../src/activities/host-context.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { waitingFor } from '../workflows/play.ts';
import { eventually } from '../workflows/stage.ts';
import { previewedRows } from './rows-helpers.ts';
import { makeSite, type Site } from './site.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const SHOP = { database: 'shop' };
const ROWS = { component: 'shop', table: 'orders', where: 'id = 7' };
let site: Site;
let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: 5 } });
  await server.sql('CREATE DATABASE shop');
  await server.sql('CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 20)', SHOP);
  site = await makeSite(() =>
    [
      'keepAside: 1s',
      'components:',
      '  shop:',
      '    kind: postgres',
      `    server: { address: 127.0.0.1, port: ${server.port}, backup: { user: postgres } }`,
      '    databases: [shop]',
      'plans:',
      '  all: { components: [shop], stores: [disk] }',
    ].join('\n'),
  );
  await site.startWorkers();
  await backup();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await server.dispose();
});

async function backup(): Promise<void> {
  expect((await site.run<BackupResult>('backup', { plan: 'all' })).outcome).toBe('done');
}

/** Beside the live one. */
async function databases(): Promise<string[]> {
  const rows = await server.sql(`SELECT datname FROM pg_database WHERE datname ~ '^shop__' ORDER BY 1`);
  return rows.map(({ datname }) => String(datname));
}

const allowsConnections = (): Promise<unknown> =>
  server.value(`SELECT datallowconn FROM pg_database WHERE datname = 'shop'`);

const count = (): Promise<unknown> => server.value('SELECT count(*)::int FROM orders', SHOP);

test('rows: the copy of a terminated run goes with the next backup, one that waits and one that was to be kept stay', async () => {
  await server.sql('DELETE FROM orders WHERE id = 7', SHOP);
  const { copy: kept = '' } = await site.run<RowsResult>('restoreRows', { ...ROWS, mode: 'plan', keepCopy: true });
  const waiting = await previewedRows(site, ROWS);
  const given = await previewedRows(site, ROWS);
  await given.handle.terminate('nobody wants it');
  expect(await databases()).toEqual([kept, waiting.plan.copy, given.plan.copy].sort());
  await backup();
  expect(await databases()).toEqual([kept, waiting.plan.copy].sort());
  await waiting.handle.executeUpdate('approve', { args: [{ digest: waiting.plan.digest, by: 'ann' }] });
  expect(await waiting.handle.result()).toMatchObject({ outcome: 'restored', added: 1 });
  await server.sql(`DROP DATABASE ${kept}`);
});

test('a restore: what it kept aside goes when its time is over; of one that was terminated the copy goes, the live one stays', async () => {
  const begin = async () => {
    const handle = await site.start('restore', { plan: 'all', skipSafetyBackup: true });
    await waitingFor(handle, 'approval');
    const { digest } = await handle.query<RestorePlan>('plan');
    await handle.executeUpdate('approve', { args: [{ digest, by: 'ann' }] });
    return handle;
  };
  const { aside } = (await (await begin()).result()) as RestoreResult;
  expect(await databases()).toEqual([aside[0]?.replace('database ', '')]);
  await sleep(1_100);
  await backup();
  expect(await databases()).toEqual([]);
  const { events } = JSON.parse(await site.holdfast('audit', site.system, '--json')) as AuditLog;
  expect(events.map(({ event }) => event)).toContainEqual(
    expect.objectContaining({ what: 'done', operation: 'kept aside', outcome: 'removed' }),
  );

  // What is prepared and not committed keeps a database from being renamed.
  await server.sql(`BEGIN; INSERT INTO orders VALUES (100); PREPARE TRANSACTION 'held'`, SHOP);
  const handle = await begin();
  // It is shut to be renamed, which is tried for a minute.
  await eventually('the swap has begun', async () => ((await allowsConnections()) === false ? true : undefined));
  await handle.terminate('given up');
  // Its last step may still be at work.
  const [, host] = site.workers();
  if (host !== undefined) await site.kill(host);
  expect(await allowsConnections()).toBe(false);
  await site.startWorker('host');
  expect(await databases()).toHaveLength(1);
  await backup();
  expect(await allowsConnections()).toBe(true);
  expect(await databases()).toEqual([]);
  expect(await count()).toBe(19);
  await server.sql(`ROLLBACK PREPARED 'held'`, SHOP);
});

test('a step of a run whose engine gave it up still works: the next step of it waits, and what it made is not removed', async () => {
  const context = { stateDirectory: () => `state of ${site.system}` } as unknown as HostContext;
  const making = { system: site.system, component: 'shop', id: 'a-run' };
  const run = { signal: new AbortController().signal };
  const [late, order] = [Promise.withResolvers<undefined>(), [] as string[]];
  const first = alone(context, making, run, async () => {
    await late.promise;
    order.push('first');
  });
  const second = alone(context, making, run, () => Promise.resolve(order.push('second')));
  await alone(context, { ...making, id: 'another-run' }, run, () => Promise.resolve(order.push('another')));
  late.resolve(undefined);
  await Promise.all([first, second]);
  expect(order).toEqual(['another', 'first', 'second']);
});
