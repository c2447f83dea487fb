import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { workflowBundle } from '../../src/engine/bundle.ts';
import { connectEngine } from '../../src/engine/index.ts';
import { freePort, preferPort, requirePort } from '../../src/engine/ports.ts';
import { endProcess, identityOf, isAlive } from '../../src/engine/process.ts';
import { restartPauseMs, supervise } from '../../src/engine/supervised.ts';
import type { ChildEvent, ChildSpec } from '../../src/engine/supervised.ts';
import { engineTarget } from '../../src/engine/target.ts';
import { cacheDirectory } from '../../src/system/cache.ts';
import { findTemporal, serverVersionOf, TEMPORAL_SERVER_VERSION } from '../../src/engine/tools.ts';
import { WORKFLOWS } from '../../src/workflows/contract.ts';
import { temporaryHome } from './home.ts';

const WAIT = { timeout: 60_000, interval: 50 };

let home: ReturnType<typeof temporaryHome>;
beforeAll(() => {
  home = temporaryHome();
});
afterAll(() => {
  home[Symbol.dispose]();
});

async function occupy(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

describe('ports', () => {
  it('the preferred port is taken: another one; the asked-for one is taken: said, with its number', async () => {
    const { server, port } = await occupy();
    expect(await preferPort(port)).not.toBe(port);
    await expect(requirePort(port, 300)).rejects.toMatchObject({
      code: 'PortTaken',
      message: expect.stringContaining(String(port)) as string,
    });
    server.close();
  });

  it('an asked-for port that is just being released: waited for', async () => {
    const { server, port } = await occupy();
    const waiting = requirePort(port, 60_000);
    setTimeout(() => server.close(), 300);
    expect(await waiting).toBe(port);
    expect(await freePort()).toBeGreaterThan(0);
  });
});

describe('supervision', () => {
  const spec = (script: string): ChildSpec => ({
    name: 'child',
    command: process.execPath,
    args: ['-e', script],
    env: process.env,
    logFile: path.join(home.path, 'child.log'),
    stopLimitMs: 500,
  });

  it('a child that dies: started again, its death told with the reason', async () => {
    const events: ChildEvent[] = [];
    const child = supervise(spec("console.log('alive'); setTimeout(() => process.exit(3), 50)"), (event) =>
      events.push(event),
    );
    await vi.waitFor(() => {
      expect(readFileSync(path.join(home.path, 'child.log'), 'utf8')).toMatch(/alive\nalive/);
    }, WAIT);
    await child.stop();
    expect(events.find(({ what }) => what === 'died')?.detail).toMatch(/exit code 3; started again/);
    const starts = events.filter(({ what }) => what === 'started').length;
    expect(child.identity()).toBeUndefined();
    expect(events.filter(({ what }) => what === 'started').length).toBe(starts);
  });

  it('a child that ignores being asked to end: killed', async () => {
    const child = supervise(
      spec("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('deaf')"),
      () => undefined,
    );
    await vi.waitFor(() => {
      expect(readFileSync(path.join(home.path, 'child.log'), 'utf8')).toContain('deaf');
    }, WAIT);
    const identity = child.identity() ?? '';
    expect(isAlive(identity)).toBe(true);
    await child.stop();
    expect(isAlive(identity)).toBe(false);
  });

  it('deaths in a row: longer pauses, up to half a minute', () => {
    expect([1, 2, 3, 6, 7, 50].map(restartPauseMs)).toEqual([500, 1000, 2000, 16_000, 30_000, 30_000]);
  });

  it('a process that ended: its number does not pass for it any more', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const identity = identityOf(child.pid ?? 0) ?? '';
    expect(isAlive(identity)).toBe(true);
    expect(isAlive(identity.replace(/\d+$/, '1'))).toBe(false);
    await endProcess(identity, 60_000);
    expect(isAlive(identity)).toBe(false);
  });
});

describe('which server', () => {
  it('nothing runs and nothing is named: said at once, with what to do', () => {
    expect(() => engineTarget()).toThrow(expect.objectContaining({ code: 'EngineUnreachable' }) as Error);
  });

  it('a named server that is not there: said with its address', async () => {
    const { server, port } = await occupy();
    server.close();
    await once(server, 'close');
    process.env['TEMPORAL_ADDRESS'] = `127.0.0.1:${port}`;
    try {
      await expect(connectEngine()).rejects.toMatchObject({
        code: 'EngineUnreachable',
        message: expect.stringContaining(String(port)) as string,
      });
    } finally {
      delete process.env['TEMPORAL_ADDRESS'];
    }
  });

  it('the binary that set-up found contains the pinned server; an explicit path that is no program is an error', async () => {
    const found = await findTemporal();
    expect(await serverVersionOf(found?.path ?? '')).toBe(TEMPORAL_SERVER_VERSION);
    await expect(findTemporal({ HOLDFAST_TEMPORAL: path.join(home.path, 'none') })).rejects.toMatchObject({
      code: 'BadInput',
    });
    expect(cacheDirectory({ HOLDFAST_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
    expect(cacheDirectory({ XDG_CACHE_HOME: '/b' })).toBe('/b/holdfast');
  });

  it('another version on PATH: passed over', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-path-'));
    const script = '#!/bin/sh\necho "temporal version 9 (Server 9.9.9, UI 1)"\n';
    writeFileSync(path.join(directory, 'temporal'), script, { mode: 0o755 });
    expect(await findTemporal({ PATH: directory, HOLDFAST_CACHE: directory })).toBeUndefined();
    rmSync(directory, { recursive: true });
  });
});

describe('the bundle of the workflows', () => {
  it('the second time: the same file, not made again, and it contains every workflow', async () => {
    const cache = mkdtempSync(path.join(tmpdir(), 'holdfast-bundles-'));
    vi.stubEnv('HOLDFAST_CACHE', cache);
    try {
      const first = await workflowBundle();
      const code = readFileSync(first.codePath, 'utf8');
      for (const name of Object.values(WORKFLOWS)) expect(code).toContain(name);
      const inode = statSync(first.codePath).ino;
      expect(await workflowBundle()).toEqual(first);
      expect(statSync(first.codePath).ino).toBe(inode);
      expect(readdirSync(path.dirname(first.codePath))).toHaveLength(1);
    } finally {
      vi.unstubAllEnvs();
      rmSync(cache, { recursive: true });
    }
  });
});
