import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postmasterOf } from '../../src/postgres/pid-file.ts';
import { startPrivateServer, withPrivateServer } from '../../src/postgres/private-server.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';

const signal = new AbortController().signal;
let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ passwords: true });
  await server.sql('CREATE TABLE t AS SELECT 42 AS answer');
  await server.configure({
    archive_mode: 'on',
    archive_command: `touch ${join(server.base, 'archived')}`,
    data_directory: '/nonexistent',
    shared_preload_libraries: 'no_such_library',
  });
  await server.stop();
});
afterAll(() => server.dispose());

async function answer(host: string, port: number): Promise<unknown> {
  const client = new pg.Client({ host, port, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    await client.query('SELECT pg_switch_wal()');
    const { rows } = await client.query<{ answer: number }>(
      "SELECT answer, current_setting('listen_addresses') AS listens FROM t",
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('waited for a minute');
    await delay(50);
  }
}

describe('a server for ourselves', () => {
  it('a configuration that would archive, load and run elsewhere: it serves by its socket alone and is gone afterwards', async () => {
    let place = '';
    const options = { dataDirectory: server.data, toolsDirectory: server.bin, signal };
    const seen = await withPrivateServer(options, async ({ socketDirectory, port }) => {
      place = socketDirectory;
      return answer(socketDirectory, port);
    });
    expect(seen).toEqual({ answer: 42, listens: '' });
    expect(existsSync(join(server.base, 'archived'))).toBe(false);
    expect(existsSync(place)).toBe(false);
    expect(await postmasterOf(server.data)).toBeUndefined();
  });

  it('what it is used for fails: it is stopped, and that failure is told', async () => {
    const options = { dataDirectory: server.data, toolsDirectory: server.bin, signal };
    await expect(withPrivateServer(options, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await postmasterOf(server.data)).toBeUndefined();
  });

  it('a directory that is no cluster: the failure says what PostgreSQL said', async () => {
    const empty = join(server.base, 'empty');
    await mkdir(empty, { mode: 0o700 });
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(server.data);
      await chown(empty, uid, gid);
    }
    const start = startPrivateServer({ dataDirectory: empty, toolsDirectory: server.bin, signal });
    await expect(start).rejects.toMatchObject({ code: 'CheckFailed' });
    await expect(start).rejects.toThrow(/PG_VERSION|not a valid data directory/);
  });

  it('its starter is killed with SIGKILL: the server ends and nothing is left', async () => {
    const module = fileURLToPath(new URL('../../src/postgres/private-server.ts', import.meta.url));
    const program = `
      const { startPrivateServer } = await import(${JSON.stringify(module)});
      const server = await startPrivateServer({
        dataDirectory: ${JSON.stringify(server.data)}, toolsDirectory: ${JSON.stringify(server.bin)},
        signal: new AbortController().signal,
      });
      console.log(server.socketDirectory);
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await new Promise<Buffer[]>((resolve) =>
      child.stdout.once('data', (data: Buffer) => resolve([data])),
    );
    const socket = String(line).trim();
    expect(await postmasterOf(server.data)).toBeGreaterThan(1);
    child.kill('SIGKILL');
    await until(() => !existsSync(socket));
    expect(await postmasterOf(server.data)).toBeUndefined();
  });
});
