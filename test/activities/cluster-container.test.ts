/** The cluster of a Compose service from its system file: its container stopped, its volume's directory exchanged, started. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';
import { CONTAINER_PASSWORD, postgresCorner } from '../support/postgres-container.ts';
import type { PostgresContainer, PostgresCorner } from '../support/postgres-container.ts';
import { waitingFor } from '../workflows/play.ts';
import { makeSite, type Site } from './site.ts';

let corner: PostgresCorner;
let postgres: PostgresContainer;
let site: Site;

beforeAll(async () => {
  corner = await postgresCorner();
  const project = `hf-${corner.id}`;
  postgres = await corner.postgres({ compose: { project, service: 'db' } });
  await postgres.sql('CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
  let secret = '';
  site = await makeSite((data) => {
    secret = data('secret');
    return [
      'components:',
      '  database:',
      '    kind: postgres',
      '    method: base',
      `    server: { service: db, project: ${project}, backup: { user: postgres, password: { file: ${secret} } } }`,
      'plans:',
      '  daily: { components: [database], stores: [disk], keep: { last: 5 } }',
    ].join('\n');
  });
  await writeFile(secret, CONTAINER_PASSWORD, { mode: 0o600 });
  await site.startWorkers();
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await corner.cleanUp();
});

const rows = (): Promise<string> => postgres.sql('SELECT count(*) FROM t');

describe('[W1] a cluster in a container', () => {
  test('replaced in its volume after approval: the plan stops and starts its container, the old one is kept', async () => {
    await site.run<BackupResult>('backup', { plan: 'daily' });
    await postgres.sql('DELETE FROM t WHERE n > 10');
    const handle = await site.start('restore', { skipSafetyBackup: true });
    await waitingFor(handle, 'approval');
    const plan = await handle.query<RestorePlan>('plan');
    const around = plan.actions.filter(({ action }) => action === 'stop' || action === 'start');
    expect(around.map(({ on }) => on)).toEqual([[postgres.name], [postgres.name]]);
    expect(await rows()).toBe('10');
    await handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    const result = (await handle.result()) as RestoreResult;
    expect(result).toMatchObject({ outcome: 'restored' });
    expect(result.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(result.aside[0]).toContain('/.holdfast-aside-');
    await postgres.ready();
    expect(await rows()).toBe('1000');
  });
});
