/** A component by the method `base` for a server of the tests. */
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
