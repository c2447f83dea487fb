/** A disk that has no room for what is restored: said, nothing left, and the live server untouched. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import { postgresBaseKind } from '../../src/sources/kinds/postgres-base.ts';
import { postgresKind } from '../../src/sources/kinds/postgres.ts';
import { contextIn, EVERYTHING, MemorySink } from '../sources/kinds-helpers.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { baseComponent } from './cluster-component.ts';
import { capture, dumpComponent, serverConfig } from './dump-helpers.ts';

const run = promisify(execFile);

let server: PostgresServer;
let directory: string;
let small: string;
let context: KindContext;
let mounted = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-full-'));
  await chmod(directory, 0o711);
  small = join(directory, 'small');
  await mkdir(small);
  mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=30m,mode=755', 'tmpfs', small]).then(
    () => true,
    () => false,
  );
  context = contextIn(small);
  await mkdir(context.stateDirectory, { mode: 0o711 });
  server = await startPostgres();
  await server.sql('CREATE DATABASE shop');
  await server.sql('CREATE TABLE t AS SELECT n, repeat(md5(n::text), 20) AS v FROM generate_series(1, 20000) AS n', {
    database: 'shop',
  });
});
afterAll(async () => {
  await server.dispose();
  if (mounted) await run('umount', ['--lazy', small]);
  await rm(directory, { recursive: true, force: true });
});

async function left(): Promise<string[]> {
  const entries = await readdir(small, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

describe('a full disk', () => {
  it('under a cluster that is restored beside: nothing of the copy is left after it is discarded', async (test) => {
    if (!mounted) test.skip('this machine allows no mount: only root may');
    const component = baseComponent(server);
    const sink = new MemorySink();
    await postgresBaseKind.capture(component, sink, context);
    const place = join(small, 'copy');
    for (const target of [
      { ...EVERYTHING, elsewhere: place },
      { ...EVERYTHING, verify: true },
    ]) {
      const restoring = postgresBaseKind.restoreBeside(component, sink.readers, target, 'beside', context);
      await expect(restoring).rejects.toMatchObject({ code: 'DiskFull' });
      await postgresBaseKind.discard(
        component,
        { component: component.name, restoreId: 'beside', place, facts: {} },
        context,
      );
      expect(await left()).toEqual([]);
    }
    expect(await server.value('SELECT 1')).toBe(1);
  });

  it('under the scratch server of a verification: the same', async (test) => {
    if (!mounted) test.skip('this machine allows no mount: only root may');
    const component = dumpComponent(serverConfig(server), { databases: ['shop'] });
    const { artifacts } = await capture(component);
    const target = { ...EVERYTHING, verify: true };
    const restoring = postgresKind.restoreBeside(component, artifacts, target, 'scratch', context);
    await expect(restoring).rejects.toMatchObject({ code: 'DiskFull' });
    const beside = { component: component.name, restoreId: 'scratch', place: '', facts: {} };
    await postgresKind.discard(component, beside, context);
    expect(await left()).toEqual([]);
    expect(await server.value('SELECT count(*)::int FROM t', { database: 'shop' })).toBe(20_000);
    expect(await server.value('SELECT count(*)::int FROM pg_database')).toBe(4);
  });
});
