/** One stream in this process: what is read back is what the server wrote, and another server's log is refused. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerWatch } from '../../src/activities/wal/server-watch.ts';
import { streamOnce, type StreamSight } from '../../src/activities/wal/stream.ts';
import { isSegmentName, parseLsn } from '../../src/policy/lsn.ts';
import { openPostgres } from '../../src/postgres/open.ts';
import type { WalTurn } from '../../src/activities/types.ts';
import { serverDirectory, startPostgres, startPostgresOn, type PostgresServer } from '../support/postgres.ts';
import { makeTestVault, type TestVault } from '../support/vault.ts';
import { eventually } from '../workflows/stage.ts';

const SLOT = 'in_process';
const COMPONENT = 'main';

let vault: TestVault;
let server: PostgresServer;
let mark: string | undefined;

beforeAll(async () => {
  vault = await makeTestVault();
  server = await startPostgres({ walSegmentMiB: 1, settings: { wal_keep_size: '256MB' } });
});

afterAll(async () => {
  await server.dispose();
  await vault[Symbol.asyncDispose]();
});

interface Streaming {
  readonly sight: StreamSight;
  readonly ended: Promise<WalTurn | undefined>;
  stop(): Promise<void>;
}

async function stream(from: PostgresServer): Promise<Streaming> {
  const over = new AbortController();
  const { signal } = over;
  const { host, port, user } = from.connection();
  const access = await openPostgres(
    { address: host, port, tls: 'disable', maintenanceDatabase: 'postgres', tools: { kind: 'host' }, backup: { user } },
    'backup',
    { docker: () => Promise.reject(new Error('no container')) as never },
  );
  const watch = new ServerWatch(access, SLOT, signal);
  const writer = await vault.walWriter(COMPONENT);
  const sight: StreamSight = {};
  const silent = (): void => undefined;
  const options = { access, watch, writer, slot: SLOT, everySeconds: 1, sight, onRunning: silent, say: silent, signal };
  const close = async (): Promise<void> => {
    await watch.close();
    await access.close();
    await writer.close();
  };
  const run = async (): Promise<WalTurn | undefined> => {
    try {
      const first = await streamOnce({ ...options, mark });
      if (first?.kind !== 'mark') return first;
      ({ mark } = first);
      return await streamOnce({ ...options, mark });
    } finally {
      await close();
    }
  };
  const ended = run();
  ended.catch(() => undefined);
  return {
    sight,
    ended,
    stop: async () => {
      over.abort();
      await ended.catch(() => undefined);
    },
  };
}

async function write(rows: number, on = server): Promise<bigint> {
  await on.sql(`CREATE TABLE IF NOT EXISTS t (n int, filler text);
    INSERT INTO t SELECT n, md5((n * random())::text) FROM generate_series(1, ${rows}) n;`);
  return parseLsn(String(await on.value('SELECT pg_current_wal_flush_lsn()')));
}

async function until(streaming: Streaming, lsn: bigint): Promise<void> {
  await eventually('it is stored', () => {
    return (streaming.sight.stored ?? 0n) >= lsn || undefined;
  });
}

async function clusterId(): Promise<string> {
  return String(await server.value('SELECT system_identifier::text FROM pg_control_system()'));
}

describe('[T1] [G2] [W6] one stream', () => {
  test('stopped and gone on twice in the middle of a segment: what is read back is what the server wrote', async () => {
    for (const rows of [40_000, 1, 20_000]) {
      const streaming = await stream(server);
      await until(streaming, await write(rows));
      await streaming.stop();
    }
    const source = await vault.walSource(COMPONENT, await clusterId());
    const files = (await source?.files()) ?? [];
    const there = (await readdir(path.join(server.data, 'pg_wal'))).filter(isSegmentName);
    const both = files.filter(({ name, complete }) => complete && there.includes(name));
    expect(both.length).toBeGreaterThan(3);
    for (const { name } of both) {
      const parts: Uint8Array[] = [];
      for await (const part of source?.read(name, new AbortController().signal) ?? []) parts.push(part);
      const own = await readFile(path.join(server.data, 'pg_wal', name));
      expect(Buffer.concat(parts).equals(own), name).toBe(true);
    }
    await source?.close();
  });

  test('a copy of the server goes its own way on the same timeline: its log is refused', async () => {
    const first = await stream(server);
    await until(first, await write(10));
    await first.stop();
    await server.stop();
    const base = await serverDirectory();
    const data = path.join(base, 'data');
    await promisify(execFile)('cp', ['-a', server.data, data]);
    await server.start();
    const again = await stream(server);
    await until(again, await write(100));
    await again.stop();
    const copy = await startPostgresOn({ bin: server.bin, base, data, passwords: false });
    try {
      await write(3_000, copy);
      const other = await stream(copy);
      await expect(other.ended).rejects.toMatchObject({ code: 'WalConflict' });
    } finally {
      await copy.dispose();
    }
  });
});
