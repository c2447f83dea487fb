/** A server of release 17 in a container, and programs of release 15 on this machine. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgres17Here } from '../../scripts/setup/postgres-17.ts';
import { examinePostgres } from '../../src/cli/examine-postgres.ts';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import { postgresBaseKind } from '../../src/sources/kinds/postgres-base.ts';
import { postgresKind } from '../../src/sources/kinds/postgres.ts';
import type { PostgresServer as ServerConfig, PostgresTools } from '../../src/system/types.ts';
import { contextIn, EVERYTHING, MemorySink } from '../sources/kinds-helpers.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { CONTAINER_PASSWORD, postgresCorner } from '../support/postgres-container.ts';
import type { PostgresContainer, PostgresCorner } from '../support/postgres-container.ts';
import { baseComponent } from './cluster-component.ts';
import { capture, dumpComponent, serverConfig } from './dump-helpers.ts';

const tree = process.env['HOLDFAST_POSTGRES_17'] ?? postgres17Here();

it.runIf(tree === undefined && process.env['CI'] !== undefined)(
  'CI without PostgreSQL 17: fails, because nobody reads there what was skipped',
  () => {
    throw new Error(
      'PostgreSQL 17 is not there. `npm run setup -- test` fetches it on Debian for amd64; elsewhere name the root of an ' +
        'installation in HOLDFAST_POSTGRES_17.',
    );
  },
);

describe.skipIf(tree === undefined)('a server newer than the programs of this machine', () => {
  let corner: PostgresCorner;
  let newer: PostgresContainer;
  let older: PostgresServer;
  let directory: string;
  let context: KindContext;

  beforeAll(async () => {
    corner = await postgresCorner(tree);
    newer = await corner.postgres();
    await newer.sql('CREATE DATABASE shop');
    await newer.sql('CREATE TABLE t AS SELECT n, md5(n::text) AS v FROM generate_series(1, 1000) AS n', 'shop');
    older = await startPostgres();
    directory = await mkdtemp(join(tmpdir(), 'holdfast-newer-'));
    await chmod(directory, 0o711);
    context = { ...contextIn(directory), docker: () => corner.docker };
    process.env['HOLDFAST_TEST_NEWER_PASSWORD'] = CONTAINER_PASSWORD;
  });
  afterAll(async () => {
    await older.dispose();
    await corner.cleanUp();
    await rm(directory, { recursive: true, force: true });
  });

  const server = (tools: PostgresTools): ServerConfig => ({
    port: 5432,
    tls: 'disable',
    maintenanceDatabase: 'postgres',
    tools,
    backup: { user: 'postgres', password: { env: 'HOLDFAST_TEST_NEWER_PASSWORD' } },
  });
  const inContainer = (): ServerConfig => server({ kind: 'container', container: newer.name });
  const databasesOfOlder = () => older.sql('SELECT datname FROM pg_database ORDER BY 1');

  it('its dump, by its own tools, is refused by an older server before anything is made there', async () => {
    const { artifacts, dump } = await capture(dumpComponent(inContainer(), { databases: ['shop'] }), context);
    expect(dump.server.versionNumber).toBeGreaterThan(170_000);
    const before = await databasesOfOlder();
    const target = dumpComponent(serverConfig(older), { databases: ['shop'] });
    for (const where of [EVERYTHING, { ...EVERYTHING, elsewhere: 'shop_copy' }]) {
      await expect(postgresKind.restoreBeside(target, artifacts, where, 'older', context)).rejects.toMatchObject({
        code: 'PostgresVersion',
        message: expect.stringMatching(/^the dump is of PostgreSQL 17\.\d+, the server is of 15$/) as string,
        hint: expect.stringContaining('same or a newer release') as string,
      });
    }
    expect(await databasesOfOlder()).toEqual(before);
  });

  it('the programs of this machine are too old for it: doctor says so, and a capture ends at once', async () => {
    // Through the file system of the container, as there is no network.
    const { State } = await corner.raw.getContainer(newer.id).inspect();
    const far = { ...server({ kind: 'host' }), address: `/proc/${State.Pid}/root/run/postgresql` };
    for (const component of [dumpComponent(far, { databases: ['shop'] }), { ...baseComponent(older), server: far }]) {
      const tool = component.method === 'dump' ? 'pg_dump' : 'pg_basebackup';
      const findings = await examinePostgres('component database', component, corner.docker);
      const finding = findings.find(({ what }) => what === `component database: ${tool}`);
      expect(finding).toMatchObject({ state: 'fail' });
      expect(finding?.detail).toMatch(new RegExp(`the server is PostgreSQL 17 and there is no ${tool} of it or newer`));
      expect(finding?.doThis).toContain('Install the client programs of PostgreSQL 17');
      const refused = postgresKind.capture(component, new MemorySink(), context);
      await expect(refused).rejects.toMatchObject({ code: 'PostgresVersion', waitingHelps: false });
    }
  });

  it('a dump of the older one is restored into it, checked, beside what is there', async () => {
    await older.sql('CREATE DATABASE shop');
    await older.sql('CREATE TABLE t AS SELECT n FROM generate_series(1, 500) AS n', { database: 'shop' });
    const { artifacts } = await capture(dumpComponent(serverConfig(older), { databases: ['shop'] }));
    const target = dumpComponent(inContainer(), { databases: ['shop'] });
    const where = { ...EVERYTHING, elsewhere: 'shop_of_15' };
    const beside = await postgresKind.restoreBeside(target, artifacts, where, 'upgrade', context);
    const { checks } = await postgresKind.checkBeside(target, beside, context);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(await newer.sql('SELECT count(*) FROM t', 'shop_of_15')).toBe('500');
    expect(await newer.sql('SELECT count(*) FROM t', 'shop')).toBe('1000');
  });

  it('its base backup is taken by its own tools and read back; no older server is let near the copy', async () => {
    const component = { ...baseComponent(older), server: inContainer() };
    const sink = new MemorySink();
    const { facts } = await postgresBaseKind.capture(component, sink, context);
    expect(facts).toMatchObject({ method: 'base', versionNumber: expect.any(Number) as number });
    expect(await postgresBaseKind.checkCaptured?.(component, sink.readers, context)).toMatchObject({ ok: true });
    const place = join(directory, 'restored');
    const restoring = postgresBaseKind.restoreBeside(
      component,
      sink.readers,
      { ...EVERYTHING, elsewhere: place },
      'base',
      context,
    );
    await expect(restoring).rejects.toMatchObject({ code: 'ToolMissing' });
    expect(existsSync(place)).toBe(false);
    expect((await readdir(directory)).filter((name) => name !== 'state')).toEqual([]);
  });
});
