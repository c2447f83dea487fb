/** The tools of a container: a real server in one, reached by its network and by its file system. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgres } from '../../src/postgres/open.ts';
import type { PostgresAccess } from '../../src/postgres/types.ts';
import type { PostgresServer as ServerConfig, PostgresTools } from '../../src/system/types.ts';
import { postgresKind } from '../../src/sources/kinds/postgres.ts';
import { contextIn } from '../sources/kinds-helpers.ts';
import { CONTAINER_PASSWORD, postgresCorner } from '../support/postgres-container.ts';
import type { PostgresContainer, PostgresCorner } from '../support/postgres-container.ts';
import { capture, dumpComponent } from './dump-helpers.ts';

const signal = new AbortController().signal;

describe('a server in a container', () => {
  let corner: PostgresCorner;
  let postgres: PostgresContainer;
  let access: PostgresAccess;

  const open = (tools: PostgresTools): Promise<PostgresAccess> => {
    const config: ServerConfig = {
      port: 5432,
      tls: 'disable',
      maintenanceDatabase: 'postgres',
      tools,
      backup: { user: 'postgres', password: { env: 'SECRET' } },
    };
    return openPostgres(config, 'backup', {
      docker: () => corner.docker,
      resolveSecret: () => Promise.resolve(CONTAINER_PASSWORD),
    });
  };

  beforeAll(async () => {
    corner = await postgresCorner();
    postgres = await corner.postgres({ compose: { project: `hf-${corner.id}`, service: 'db' } });
    await postgres.sql('CREATE TABLE big AS SELECT repeat(md5(i::text), 30) AS t FROM generate_series(1, 20000) i');
    access = await open({ kind: 'container', container: postgres.name });
  });
  afterAll(async () => {
    await corner.cleanUp();
  });

  /** Names of what runs in it; a zombie has no command line. */
  const running = async (): Promise<string> => (await postgres.exec(['ps', '-o', 'args'])).stdout;

  it('without a network it is found in the file system of the container, and its own tools are used', async () => {
    expect((await access.facts(signal)).versionNumber).toBeGreaterThan(150_000);
    expect(await access.text('pg_dump', ['--version'], { signal })).toMatch(/^pg_dump \(PostgreSQL\) 15/);
    expect(await access.text('psql', ['-XAtc', 'SELECT current_user'], { signal })).toBe('postgres\n');
  });

  it('a Compose service is found by its labels', async () => {
    const service = await open({ kind: 'service', project: `hf-${corner.id}`, service: 'db' });
    expect(await service.text('psql', ['-XAtc', 'SELECT 1'], { signal })).toBe('1\n');
    await expect(open({ kind: 'service', project: `hf-${corner.id}`, service: 'web' })).rejects.toMatchObject({
      code: 'ContainerMissing',
    });
  });

  it('[W1] a database of a Compose service is dumped and read back with its own tools, whole and by table', async () => {
    await postgres.sql('CREATE TABLE "Wall ets" (id int)');
    const context = { ...contextIn('/nowhere'), docker: () => corner.docker };
    process.env['HOLDFAST_TEST_PASSWORD'] = CONTAINER_PASSWORD;
    const server: ServerConfig = {
      port: 5432,
      tls: 'disable',
      maintenanceDatabase: 'postgres',
      tools: { kind: 'service', project: `hf-${corner.id}`, service: 'db' },
      backup: { user: 'postgres', password: { env: 'HOLDFAST_TEST_PASSWORD' } },
    };
    for (const given of [
      dumpComponent(server),
      dumpComponent(server, { databases: ['postgres'], tables: ['big', 'Wall ets'] }),
    ]) {
      const { artifacts, facts } = await capture(given, context);
      expect(facts).toMatchObject({ databases: [{ name: 'postgres', tables: 2, rows: 20_000 }] });
      const report = await postgresKind.checkCaptured?.(given, artifacts, context);
      expect(report?.checks.map(({ name, ok }) => [name, ok])).toEqual([
        ['read postgres', true],
        ['contents of postgres', true],
      ]);
    }
  });

  it('in a network it is reached by its address', async () => {
    const other = await corner.postgres({ network: 'bridge' });
    const reached = await open({ kind: 'container', container: other.name });
    expect((await reached.facts(signal)).inRecovery).toBe(false);
    await other.stop();
    await expect(open({ kind: 'container', container: other.name })).rejects.toMatchObject({
      code: 'PostgresUnreachable',
    });
  });

  it('a password reaches the tool and neither its command line nor what the engine tells of it', async () => {
    const untilSeen = `DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'seen') LOOP PERFORM pg_sleep(0.05); END LOOP; END $$`;
    const run = await access.run('psql', ['-XAtc', untilSeen], { signal });
    await expect.poll(running, { timeout: 60_000 }).toContain('pg_sleep');
    expect(await running()).not.toContain('in a "box"');
    const { ExecIDs } = await corner.raw.getContainer(postgres.id).inspect();
    for (const id of ExecIDs ?? []) {
      expect(JSON.stringify(await corner.raw.getExec(id).inspect())).not.toContain('in a');
    }
    await postgres.sql('CREATE TABLE seen ()');
    await text(run.stdout);
    await run.done;
    await postgres.sql('DROP TABLE seen');
  });

  it('a tool that fails tells the end of what it said, and one that is missing is named', async () => {
    await expect(access.text('pg_dump', ['-t', 'nowhere'], { signal })).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringMatching(/pg_dump ended with 1: .*no matching tables/) as string,
    });
    await expect(access.text('pg_nothing', [], { signal })).rejects.toMatchObject({ code: 'PostgresVersion' });
  });

  it('much output comes whole, held back by its reader', async () => {
    const run = await access.run('pg_dump', ['-Fc', '-Z0', '--table', 'big'], { signal });
    let bytes = 0;
    for await (const piece of run.stdout) bytes += piece.length;
    await run.done;
    expect(bytes).toBeGreaterThan(20_000 * 30 * 32);
  });

  it('aborted in the middle, the tool in the container ends, and the server goes on', async () => {
    const abort = new AbortController();
    const run = await access.run('psql', ['-XAtc', 'SELECT pg_sleep(600)'], { signal: abort.signal });
    await expect.poll(running).toContain('pg_sleep(600)');
    abort.abort(new Error('enough'));
    await expect(text(run.stdout)).rejects.toThrow('enough');
    await expect(run.done).rejects.toThrow('enough');
    await expect.poll(running, { timeout: 60_000 }).not.toContain('pg_sleep(600)');
    expect(await postgres.sql('SELECT count(*) FROM big')).toBe('20000');
  });

  it('the process that started it is killed: the tool in the container ends, and the server goes on', async () => {
    const program = path.join(import.meta.dirname, 'tool-child.ts');
    const child = spawn(process.execPath, [program, postgres.name, CONTAINER_PASSWORD], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    await expect.poll(running).toContain('pg_sleep(601)');
    const started = await postgres.sql('SELECT pg_postmaster_start_time()');
    child.kill('SIGKILL');
    await exited;
    await expect.poll(running, { timeout: 60_000 }).not.toContain('pg_sleep(601)');
    expect(await postgres.sql('SELECT pg_postmaster_start_time()')).toBe(started);
    // A server that takes a stray child's death for a crash restarts within its process, and says so.
    const log = await corner.raw.getContainer(postgres.id).logs({ stdout: true, stderr: true });
    expect(log.toString()).not.toMatch(/terminating any other active server processes|reinitializing/);
  });

  it('not read to its end, the tool in the container ends', async () => {
    const run = await access.run('pg_dump', ['-Fp', '--table', 'big'], { signal });
    for await (const piece of run.stdout) if (piece.length > 0) break;
    await expect(run.done).rejects.toMatchObject({ code: 'DockerRefused' });
    await expect.poll(running, { timeout: 60_000 }).not.toContain('pg_dump -Fp');
  });

  it('input flows into a tool, which may end before all of it was read', async () => {
    const dump = await access.run('pg_dump', ['-Fc', '-Z0', '--table', 'big'], { signal });
    expect(await access.text('pg_restore', ['-f', '/dev/null'], { signal, stdin: dump.stdout })).toBe('');
    await dump.done;
    const again = await access.run('pg_dump', ['-Fc', '-Z0', '--table', 'big'], { signal });
    const list = await access.text('pg_restore', ['--list'], { signal, stdin: again.stdout });
    expect(list).toContain('TABLE DATA public big');
  });

  it('an input that breaks off kills the tool before it acts on half of it', async () => {
    async function* broken() {
      yield Buffer.from('BEGIN; CREATE TABLE half (a int);\n');
      await expect.poll(running).toContain('psql -X -f -');
      throw new Error('a chunk is damaged');
    }
    const psql = access.text('psql', ['-X', '-f', '-'], { signal, stdin: broken() });
    await expect(psql).rejects.toThrow('a chunk is damaged');
    await expect.poll(running, { timeout: 60_000 }).not.toContain('psql -X -f -');
    expect(await postgres.sql(`SELECT to_regclass('half') IS NULL`)).toBe('t');
  });
});
