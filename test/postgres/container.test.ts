import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTAINER_PASSWORD, postgresCorner } from '../support/postgres-container.ts';
import type { PostgresCorner } from '../support/postgres-container.ts';

describe('PostgreSQL in a container, for tests', () => {
  let corner: PostgresCorner;
  beforeAll(async () => {
    corner = await postgresCorner();
  });
  afterAll(async () => {
    await corner.cleanUp();
    const left = await corner.raw.listImages({ filters: { reference: [corner.postgresImage] } });
    expect(left).toEqual([]);
  });

  it('a service of a Compose project: its own tools dump it, it survives a kill, a wrong password is refused', async () => {
    const project = `hf${corner.id}`;
    const server = await corner.postgres({ compose: { project, service: 'db' }, settings: { wal_level: 'logical' } });
    const labels = [`com.docker.compose.project=${project}`, 'com.docker.compose.service=db'];
    const found = await corner.raw.listContainers({ filters: { label: labels } });
    expect(found.map(({ Id }) => Id)).toEqual([server.id]);
    await server.sql('CREATE TABLE t AS SELECT generate_series(1, 100) AS n');
    expect(await server.sql('SHOW wal_level')).toBe('logical');
    const dumped = await server.exec(['pg_dump', '-U', 'postgres', '--schema-only', 'postgres']);
    expect(dumped.stdout).toContain('CREATE TABLE public.t');
    await server.kill();
    await server.start();
    expect(await server.sql('SELECT count(*) FROM t')).toBe('100');
    const byPort = (password: string) =>
      server.exec(['psql', '-h', '127.0.0.1', '-U', 'postgres', '-Atc', 'SELECT 1'], {
        env: [`PGPASSWORD=${password}`],
      });
    expect((await byPort('other')).stderr).toMatch(/password authentication failed/);
    expect(await byPort(CONTAINER_PASSWORD)).toMatchObject({ code: 0, stdout: '1\n' });
    await expect(server.sql('SELECT nonsense')).rejects.toThrow(/nonsense/);
  });

  it('a container that ended without having been ready: said with its own last words', async () => {
    await expect(corner.postgres({ settings: { no_such_setting: 1 } })).rejects.toThrow(/no_such_setting/);
  });
});
