/** Base backups of real servers, by the kind itself: what is captured, what it costs again, what is refused. */
import { createHash } from 'node:crypto';
import { chown, mkdir, open, stat, truncate } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkStored } from '../../src/activities/check-stored.ts';
import type { HostContext } from '../../src/activities/host-context.ts';
import { log } from '../../src/observe/log.ts';
import type { Artifact } from '../../src/part.ts';
import type { PostgresAccess } from '../../src/postgres/types.ts';
import { withPostgres } from '../../src/postgres/open.ts';
import { baseArtifact } from '../../src/sources/cluster/capture.ts';
import { postgresBaseKind } from '../../src/sources/kinds/postgres-base.ts';
import type { System } from '../../src/system/types.ts';
import type { ReaderVault, StoredArtifact } from '../../src/vault/types.ts';
import { makeTestVault, SYSTEM } from '../support/vault.ts';
import type { TestVault } from '../support/vault.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { contextIn, MemorySink } from '../sources/kinds-helpers.ts';
import { baseComponent } from './cluster-component.ts';
import { materialise, readerOf } from '../sources/materialise.ts';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres({ passwords: true, walSegmentMiB: 1, settings: { max_wal_senders: 4 } });
  await server.tool('pgbench', ['-i', '-q', '-s', '1']);
});
afterAll(() => server.dispose());

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('waited for a minute');
    await delay(50);
  }
}

/** Chunks by their hash, as the vault sees them. */
class ChunkSink extends MemorySink {
  readonly chunks = new Map<string, number>();

  override async store(artifact: Artifact): Promise<void> {
    const { bytes, chunks } = await materialise(artifact);
    for (const chunk of chunks) this.chunks.set(createHash('sha256').update(chunk).digest('hex'), chunk.length);
    this.readers.push(readerOf(artifact.name, artifact.mediaType, bytes));
  }
}

const capture = async (of: PostgresServer): Promise<ChunkSink & { facts: Record<string, unknown> }> => {
  const sink = new ChunkSink();
  const { facts } = await postgresBaseKind.capture(baseComponent(of), sink, contextIn(of.base));
  return Object.assign(sink, { facts });
};

const check = (of: PostgresServer, sink: MemorySink) =>
  postgresBaseKind.checkCaptured?.(baseComponent(of), sink.readers, contextIn(of.base));

async function captureIntoVault(vault: TestVault, captureId: string) {
  const writer = await vault.writer();
  const ticket = await writer.begin({ captureId, plan: 'daily', startedAtMs: Date.now() });
  const session = await writer.session(ticket, 'ledger-db', { signal: new AbortController().signal });
  const stored: StoredArtifact[] = [];
  const sink = { store: async (artifact: Artifact) => void stored.push(await session.store(artifact)) };
  const { judged } = await postgresBaseKind.capture(baseComponent(server), sink, contextIn(server.base));
  expect(judged).toBe(true);
  await session.finish();
  await session.close();
  await writer.close();
  return { ticket, epoch: ticket.epoch, stored };
}

const walsenders = (of: PostgresServer) => of.value('SELECT count(*)::int FROM pg_stat_replication');

describe('a base backup', () => {
  it('of a server under load: every file is as its manifest says, and its facts tell where it began and ended', async () => {
    const [taken] = await Promise.all([capture(server), server.tool('pgbench', ['-T', '2', '-c', '2', '-n'])]);
    expect(taken.facts).toMatchObject({ timeline: 1, dataChecksums: true, fromStandby: false, segmentBytes: 1 << 20 });
    expect(taken.readers.map(({ name }) => name)).toEqual(['base.tar', 'cluster.json']);
    expect(await check(server, taken)).toMatchObject({ ok: true });
    expect(await walsenders(server)).toBe(0);
  });

  it('a second one after a few rows changed: what is new is the log and a few page runs', async () => {
    await server.sql('CHECKPOINT');
    const first = await capture(server);
    await server.sql('UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid BETWEEN 40000 AND 40200');
    const second = await capture(server);
    const added = [...second.chunks].filter(([hash]) => !first.chunks.has(hash));
    const addedBytes = added.reduce((sum, [, bytes]) => sum + bytes, 0);
    const logBytes = (2 + 1) << 20;
    // pg_control, the manifest, the changed runs of the table and its index, and headers of files that were written.
    expect(addedBytes).toBeLessThan(logBytes + 8 * 256 * 1024);
    expect([...second.chunks.values()].reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(20 << 20);
  });

  it('torn, or with one changed byte: the check says where', async () => {
    const taken = await capture(server);
    const [base, facts] = taken.readers;
    if (base === undefined || facts === undefined) throw new Error('artifacts are missing');
    const parts: Uint8Array[] = [];
    for await (const bytes of base.read()) parts.push(bytes);
    const whole = Buffer.concat(parts);
    const torn = readerOf(base.name, base.mediaType, whole.subarray(0, Math.floor(whole.length * 0.7)));
    await expect(
      postgresBaseKind.checkCaptured?.(baseComponent(server), [torn, facts], contextIn(server.base)),
    ).rejects.toMatchObject({ code: 'ArchiveBroken' });

    const damaged = Buffer.from(whole);
    const at = damaged.indexOf('PG_VERSION') + 512;
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    const report = await postgresBaseKind.checkCaptured?.(
      baseComponent(server),
      [readerOf(base.name, base.mediaType, damaged), facts],
      contextIn(server.base),
    );
    expect(report?.ok).toBe(false);
    expect(report?.checks[0]?.detail).toContain('another SHA-256');
  });

  it('one byte changes between the server and the vault: refused before anything is read back', async () => {
    const component = baseComponent(server);
    await withPostgres(component.server, 'backup', contextIn(server.base), async (access) => {
      let seen = 0;
      const lying: PostgresAccess = Object.create(access, {
        run: {
          value: async (...args: Parameters<PostgresAccess['run']>) => {
            const { stdout, done } = await access.run(...args);
            async function* changed(): AsyncGenerator<Uint8Array> {
              for await (const bytes of stdout) {
                const at = Buffer.from(bytes).indexOf('PG_VERSION');
                // In the contents of the first such file that lies in one piece.
                if (seen === 0 && at >= 0 && bytes.length > at + 512) {
                  seen += 1;
                  bytes[at + 512] = 0x39;
                }
                yield bytes;
              }
            }
            return { stdout: changed(), done };
          },
        },
      }) as PostgresAccess;
      const artifact = baseArtifact(lying, 1 << 20);
      await new MemorySink().store(artifact);
      expect(seen).toBe(1);
      expect(artifact.verdict().problems).toEqual([expect.stringContaining('another SHA-256')]);
    });
  });

  it('through a vault, whose threads share its memory: what is read back is what the server sent', async () => {
    await using vault = await makeTestVault();
    const { epoch, stored } = await captureIntoVault(vault, 'run-1');
    const reader = await vault.reader();
    const readers = await reader.artifacts(
      epoch,
      stored.map(({ ref }) => ref),
    );
    expect(readers[0]?.lengthBytes).toBeGreaterThan(20 << 20);
    const report = await postgresBaseKind.checkCaptured?.(baseComponent(server), readers, contextIn(server.base));
    await reader.close();
    expect(report).toMatchObject({ ok: true });
  });

  it('a chunk of an earlier backup is damaged: a first attempt reads back what it added, a repeated one everything', async () => {
    await using vault = await makeTestVault();
    await captureIntoVault(vault, 'run-1');
    const old: string[] = [];
    for await (const { key, sizeBytes } of vault.store.list('chunks/')) if (sizeBytes > 1000) old.push(key);
    for (const key of old) await truncate(join(vault.storePath, key), 900);
    const made = await captureIntoVault(vault, 'run-2');
    const reader = await vault.reader();
    const host = {
      withReader: (_system: unknown, _store: unknown, use: (vault: ReaderVault) => unknown) => use(reader),
      kindContext: () => contextIn(server.base),
    } as unknown as HostContext;
    const system = { name: SYSTEM, keys: { identity: 'there' } } as unknown as System;
    const checked = (attempt: number) =>
      checkStored(
        host,
        system,
        { store: 'disk', ticket: made.ticket, stored: made.stored, judged: true },
        baseComponent(server),
        { signal: new AbortController().signal, report: () => undefined, attempt, log: log('test') },
      );
    expect(await checked(1)).toEqual([]);
    await expect(checked(2)).rejects.toMatchObject({ code: 'ObjectCorrupt' });
    await reader.close();
  });

  it('pg_basebackup is killed: the failure says so, and no walsender is left', async () => {
    const sink = {
      store: async (artifact: Artifact) => {
        for await (const segment of artifact.segments()) {
          if (segment.kind !== 'chunked') throw new Error('not chunked');
          let seen = 0;
          for await (const { lengthBytes } of segment.open(new AbortController().signal)) {
            seen += lengthBytes;
            if (seen === lengthBytes) process.kill(baseBackupOf(server), 'SIGKILL');
          }
        }
      },
    };
    const broken = postgresBaseKind.capture(baseComponent(server), sink, contextIn(server.base));
    await expect(broken).rejects.toThrow(/pg_basebackup was killed by SIGKILL/);
    await until(async () => (await walsenders(server)) === 0);
  });

  it('a page that fails its checksum: the source is called corrupt', async () => {
    const one = await startPostgres();
    try {
      await one.sql('CREATE TABLE t AS SELECT generate_series(1, 10000) AS n');
      await one.sql('CHECKPOINT');
      const file = await one.value("SELECT pg_relation_filepath('t')");
      const handle = await open(join(one.data, String(file)), 'r+');
      await handle.write(Buffer.from('damage'), 0, 6, 8192 + 4000);
      await handle.close();
      await expect(capture(one)).rejects.toMatchObject({ code: 'SourceCorrupt' });
    } finally {
      await one.dispose();
    }
  });

  it('a standby: the backup is whole and says where it was taken', async () => {
    const standby = await server.standby();
    const taken = await capture(standby);
    expect(taken.facts).toMatchObject({ fromStandby: true });
    expect(await check(standby, taken)).toMatchObject({ ok: true });
  });

  it('a tablespace elsewhere: refused before anything is read, with what to do', async () => {
    const place = join(server.base, 'elsewhere');
    await mkdir(place);
    const { uid, gid } = await stat(server.data);
    await chown(place, uid, gid);
    await server.sql(`CREATE TABLESPACE elsewhere LOCATION '${place}'`);
    const named = expect.stringContaining(`elsewhere in ${place}`) as string;
    await expect(capture(server)).rejects.toMatchObject({ code: 'BadInput', message: named });
    await server.sql('DROP TABLESPACE elsewhere');
  });
});

/** The tool that streams from this server, by the port in its environment. */
function baseBackupOf(of: PostgresServer): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (name === 'pg_basebackup' && environment.includes(`PGPORT=${of.port}`)) return Number(pid);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error('no pg_basebackup runs');
}
