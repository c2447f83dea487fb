/** A cluster in a container: captured by the container's own pg_basebackup, brought back on the host. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import { postgresBaseKind } from '../../src/sources/kinds/postgres-base.ts';
import type { PostgresBaseComponent } from '../../src/system/types.ts';
import { CONTAINER_PASSWORD, postgresCorner } from '../support/postgres-container.ts';
import type { PostgresContainer, PostgresCorner } from '../support/postgres-container.ts';
import { contextIn, EVERYTHING, MemorySink } from '../sources/kinds-helpers.ts';

let corner: PostgresCorner;
let postgres: PostgresContainer;
let directory: string;
let context: KindContext;
let component: PostgresBaseComponent;

beforeAll(async () => {
  corner = await postgresCorner();
  postgres = await corner.postgres();
  await postgres.sql('CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
  directory = await mkdtemp(join(tmpdir(), 'holdfast-base-'));
  await chmod(directory, 0o711);
  context = { ...contextIn(directory), docker: () => corner.docker };
  process.env['HOLDFAST_TEST_BASE_PASSWORD'] = CONTAINER_PASSWORD;
  component = {
    name: 'database',
    kind: 'postgres',
    method: 'base',
    host: 'alpha',
    tier: 'critical',
    after: [],
    server: {
      port: 5432,
      tls: 'disable',
      maintenanceDatabase: 'postgres',
      tools: { kind: 'container', container: postgres.name },
      backup: { user: 'postgres', password: { env: 'HOLDFAST_TEST_BASE_PASSWORD' } },
    },
    checks: { requiredTables: ['t'], minimumRows: { t: 1000 }, assertions: [] },
    usedBy: [],
  };
});
afterAll(async () => {
  await corner.cleanUp();
  await rm(directory, { recursive: true, force: true });
});

describe('a cluster in a container', () => {
  it('captured with its own tools, restored elsewhere and only to be checked', async () => {
    const sink = new MemorySink();
    const { facts } = await postgresBaseKind.capture(component, sink, context);
    expect(facts).toMatchObject({ method: 'base', timeline: 1 });
    expect(await postgresBaseKind.checkCaptured?.(component, sink.readers, context)).toMatchObject({ ok: true });

    const restore = (target: object, id: string) =>
      postgresBaseKind.restoreBeside(component, sink.readers, { paths: [], ...target }, id, context);
    const place = join(directory, 'restored');
    const beside = await restore({ elsewhere: place }, 'elsewhere');
    const report = await postgresBaseKind.checkBeside(component, beside, context);
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.checks.find(({ name }) => name === 'table public.t')?.detail).toContain('1000 rows');
    await postgresBaseKind.commit(component, beside, { keep: true }, context);
    expect(existsSync(join(place, 'PG_VERSION'))).toBe(true);

    const copy = await restore({ verify: true }, 'verify');
    expect(await postgresBaseKind.checkBeside(component, copy, context)).toMatchObject({ ok: true });
    await postgresBaseKind.discard(component, copy, context);
    expect(existsSync(copy.place)).toBe(false);
    expect((await readdir(directory)).sort()).toEqual(['restored', 'state']);
  });

  it('[W1] in place, in its volume: refused while it runs, exchanged, undone to the old rows, put in for good', async () => {
    const sink = new MemorySink();
    await postgresBaseKind.capture(component, sink, context);
    await postgres.sql('DELETE FROM t WHERE n > 10');
    const rows = (): Promise<string> => postgres.sql('SELECT count(*) FROM t');

    const first = await postgresBaseKind.restoreBeside(component, sink.readers, EVERYTHING, 'volume', context);
    expect(await postgresBaseKind.checkBeside(component, first, context)).toMatchObject({ ok: true });
    await expect(postgresBaseKind.swapIn(component, first, context)).rejects.toMatchObject({ code: 'VolumeInUse' });
    expect(await rows()).toBe('10');

    await postgres.stop();
    await postgresBaseKind.swapIn(component, first, context);
    await postgresBaseKind.swapIn(component, first, context);
    await postgres.start();
    expect(await rows()).toBe('1000');
    await expect(postgresBaseKind.swapBack(component, first, context)).rejects.toMatchObject({ code: 'VolumeInUse' });

    await postgres.stop();
    await postgresBaseKind.swapBack(component, first, context);
    await postgresBaseKind.discard(component, first, context);
    await postgres.start();
    expect(await rows()).toBe('10');

    const again = await postgresBaseKind.restoreBeside(component, sink.readers, EVERYTHING, 'again', context);
    await postgresBaseKind.checkBeside(component, again, context);
    await postgres.stop();
    await postgresBaseKind.swapIn(component, again, context);
    const { aside } = await postgresBaseKind.commit(component, again, { keep: true }, context);
    await postgres.start();
    expect(await rows()).toBe('1000');
    expect(existsSync(join(aside ?? '', 'data/PG_VERSION'))).toBe(true);
    expect(existsSync(again.place)).toBe(false);
    expect(await postgresBaseKind.inspect(component, context)).toMatchObject({ exists: true, problems: [] });
  });
});
