import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendantsOf, waitFor } from '../../sample/stack/processes.ts';
import { sweepScratchServers } from '../../src/postgres/scratch-place.ts';
import { withScratchServer, type ScratchServer } from '../../src/postgres/scratch-server.ts';
import { postgresBin } from '../support/postgres.ts';

const LIMIT_MS = 120_000;
const toolsDirectory = postgresBin();
const { signal } = new AbortController();
let stateDirectory: string;

beforeAll(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), 'holdfast-state-'));
});

const holders: ChildProcess[] = [];

afterAll(async () => {
  for (const child of holders) child.kill('SIGKILL');
  await rm(stateDirectory, { recursive: true, force: true });
});

async function ask(server: ScratchServer, sql: string): Promise<unknown> {
  const { address, port, backup } = server.server;
  const client = new pg.Client({ host: address ?? '', port, user: backup.user, database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return Object.values(rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

async function notes(): Promise<string[]> {
  return readdir(join(stateDirectory, 'scratch-servers'));
}

async function postmasterIn(directory: string): Promise<number> {
  const text = await readFile(join(directory, 'data/postmaster.pid'), 'utf8');
  return Number(text.split('\n')[0]);
}

/** A process of its own that holds a server, and where that lies. */
async function holder(): Promise<{ pid: number; directory: string; kill: () => Promise<void> }> {
  const program = join(import.meta.dirname, 'hold-scratch-server.ts');
  const child = spawn(process.execPath, [program, toolsDirectory, stateDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  holders.push(child);
  const lines = createInterface(child.stdout);
  const [directory] = (await once(lines, 'line')) as [string];
  const kill = async (): Promise<void> => {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  return { pid: child.pid ?? 0, directory, kill };
}

/** Also one that has ended and that nobody has asked about yet: it may stay a zombie for a while. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

describe('a scratch server', () => {
  it('is empty, reachable by its socket only, and gone afterwards', async () => {
    const seen = await withScratchServer({ toolsDirectory, stateDirectory, signal }, async (server) => {
      const pid = await postmasterIn(server.directory);
      expect(await notes()).toHaveLength(1);
      expect(await ask(server, "SELECT current_setting('listen_addresses')")).toBe('');
      expect(
        await ask(server, "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template0'"),
      ).toBe('UTF8');
      return { pid, directory: server.directory };
    });
    expect(existsSync(seen.directory)).toBe(false);
    expect(isGone(seen.pid)).toBe(true);
    expect(await notes()).toEqual([]);
  });

  it('what is done with it fails, or takes too long: it is gone all the same, and the reason is told', async () => {
    let directory = '';
    const failing = withScratchServer({ toolsDirectory, stateDirectory, signal }, (server) => {
      directory = server.directory;
      return Promise.reject(new Error('a check failed'));
    });
    await expect(failing).rejects.toThrow('a check failed');
    expect(existsSync(directory)).toBe(false);

    const slow = withScratchServer({ toolsDirectory, stateDirectory, signal, limitSeconds: 8 }, async (server) => {
      directory = server.directory;
      await once(server.signal, 'abort');
    });
    await expect(slow).rejects.toThrow(/more than 8 s/);
    expect(existsSync(directory)).toBe(false);
    expect(await notes()).toEqual([]);
  });

  it('no server programs at the place: the failure names it', async () => {
    const none = withScratchServer({ toolsDirectory: '/usr/bin', stateDirectory, signal }, () => Promise.resolve());
    await expect(none).rejects.toMatchObject({ code: 'ToolMissing' });
  });

  it('its worker is killed: the server ends by itself, and nothing of it is left', async () => {
    const held = await holder();
    const postmaster = await postmasterIn(held.directory);
    await held.kill();
    await waitFor('the end of the server', LIMIT_MS, () =>
      Promise.resolve((isGone(postmaster) && !existsSync(held.directory)) || undefined),
    );
    await sweepScratchServers(stateDirectory);
    expect(await notes()).toEqual([]);
  });

  it('everything that belongs to it is killed but the server: the next use ends and removes it', async () => {
    const held = await holder();
    const postmaster = await postmasterIn(held.directory);
    const sockets = (await readFile(join(held.directory, 'data/postmaster.pid'), 'utf8')).split('\n')[4] ?? '';
    const shells = descendantsOf(held.pid).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sh'),
    );
    expect(shells.length).toBeGreaterThan(0);
    for (const pid of shells) process.kill(pid, 'SIGKILL');
    await held.kill();
    expect(isGone(postmaster)).toBe(false);
    expect(existsSync(sockets)).toBe(true);
    await withScratchServer({ toolsDirectory, stateDirectory, signal }, () => {
      expect(isGone(postmaster)).toBe(true);
      expect(existsSync(held.directory)).toBe(false);
      expect(existsSync(sockets)).toBe(false);
      return Promise.resolve();
    });
    expect(await notes()).toEqual([]);
  });
});
