/** A component by the method `base` for a server of the tests. */
import { setTimeout as delay } from 'node:timers/promises';
import { postmasterOf } from '../../src/postgres/pid-file.ts';
import type { PostgresBaseComponent } from '../../src/system/types.ts';
import { SUPERUSER_PASSWORD } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';

process.env['HOLDFAST_TEST_CLUSTER_PASSWORD'] = SUPERUSER_PASSWORD;

export function baseComponent(
  server: PostgresServer,
  more: Partial<PostgresBaseComponent> = {},
): PostgresBaseComponent {
  const login = { user: 'postgres', password: { env: 'HOLDFAST_TEST_CLUSTER_PASSWORD' } } as const;
  return {
    name: 'ledger-db',
    kind: 'postgres',
    method: 'base',
    host: 'alpha',
    tier: 'critical',
    after: [],
    server: {
      address: '127.0.0.1',
      port: server.port,
      tls: 'disable',
      maintenanceDatabase: 'postgres',
      tools: { kind: 'host', directory: server.bin },
      backup: login,
    },
    checks: { requiredTables: [], minimumRows: {}, assertions: [] },
    usedBy: [],
    ...more,
  };
}

/** What a restore started again is nobody's child: it is stopped, and the test's own server started in its place. */
export async function takeBack(server: PostgresServer): Promise<void> {
  const pid = await postmasterOf(server.data);
  if (pid !== undefined) process.kill(pid, 'SIGINT');
  const end = Date.now() + 60_000;
  while ((await postmasterOf(server.data)) !== undefined) {
    if (Date.now() > end) throw new Error('the restarted server does not stop');
    await delay(50);
  }
  await server.start();
}
