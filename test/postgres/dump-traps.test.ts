/** What goes wrong while a dump is taken: it fails as what it is, says who is to blame, and leaves nothing running. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Artifact } from '../../src/part.ts';
import type { CaptureSink } from '../../src/sources/kinds/component.ts';
import { postgresKind } from '../../src/sources/kinds/postgres.ts';
import { contextIn } from '../sources/kinds-helpers.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { capture, dumpComponent, serverConfig } from './dump-helpers.ts';

/** Reads the first piece of a dump, lets something happen, and reads on. */
class Gate implements CaptureSink {
  private readonly meanwhile: () => Promise<unknown>;

  constructor(meanwhile: () => Promise<unknown>) {
    this.meanwhile = meanwhile;
  }

  async store(artifact: Artifact): Promise<void> {
    for await (const segment of artifact.segments()) {
      if (segment.kind !== 'stream') throw new Error('a dump is a stream');
      let first = true;
      for await (const piece of segment.open(new AbortController().signal)) {
        if (first && piece.length > 0) await this.meanwhile();
        first = false;
      }
    }
  }
}

function processesOf(pattern: RegExp): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pattern.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It has ended meanwhile.
        return false;
      }
    });
}

describe('a capture that is disturbed', () => {
  let server: PostgresServer;

  const component = (changes: Parameters<typeof dumpComponent>[1] = {}) =>
    dumpComponent(serverConfig(server), { databases: ['app'], tables: ['gate_me'], ...changes });
  const through = (gate: Gate, given = component(), signal?: AbortSignal): Promise<unknown> =>
    postgresKind.capture(given, gate, contextIn('/nowhere', signal)).then(
      () => 'captured',
      (error: unknown) => error,
    );
  const sessions = (): Promise<unknown> =>
    server.value(
      `SELECT count(*)::int FROM pg_stat_activity WHERE datname = 'app' AND application_name LIKE '%holdfast%'`,
    );

  beforeAll(async () => {
    server = await startPostgres({ settings: { max_standby_streaming_delay: 0, hot_standby_feedback: false } });
    await server.sql('CREATE DATABASE app');
    await server.sql(
      `CREATE TABLE gate_me AS SELECT i, repeat(md5(i::text), 20) AS t FROM generate_series(1, 30000) i;
       CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS a`,
      { database: 'app' },
    );
  });
  afterAll(async () => {
    await server.dispose();
  });

  it('a table is locked by a migration: it is waited for, then said who holds it, and tried again', async () => {
    const migration = await server.client({ database: 'app' });
    try {
      await migration.query(`SET application_name = 'migrate 42'; BEGIN; LOCK TABLE gate_me IN ACCESS EXCLUSIVE MODE`);
      const { rows } = await migration.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const failure: unknown = await capture(component()).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: 'PostgresLocked',
        waitingHelps: true,
        message: `the dump of app waited 15s for a lock: public.gate_me is locked by process ${rows[0]?.pid} (postgres, migrate 42)`,
      });
    } finally {
      await migration.end();
    }
    expect((await capture(component())).dump.databases[0]?.tables[0]?.rows).toBe(30_000);
  });

  it('pg_dump is killed in the middle: no backup, and nothing stays behind', async () => {
    const failure = await through(
      new Gate(() => {
        const found = processesOf(/^\S*\/pg_dump --format=custom .*gate_me/);
        expect(found).toHaveLength(1);
        for (const pid of found) process.kill(pid, 'SIGKILL');
        return Promise.resolve();
      }),
    );
    expect(failure).toMatchObject({
      code: 'PostgresToolFailed',
      message: 'pg_dump was killed by SIGKILL',
      waitingHelps: true,
    });
    await expect.poll(sessions, { timeout: 60_000 }).toBe(0);
  });

  it('an operation that is cancelled ends its pg_dump and its sessions', async () => {
    const cancel = new AbortController();
    const failure = await through(
      new Gate(() => {
        cancel.abort(new Error('cancelled by a person'));
        return Promise.resolve();
      }),
      component(),
      cancel.signal,
    );
    expect(failure).toMatchObject({ message: 'cancelled by a person' });
    await expect.poll(() => processesOf(/pg_dump --format=custom .*gate_me/), { timeout: 60_000 }).toEqual([]);
    await expect.poll(sessions, { timeout: 60_000 }).toBe(0);
  });

  it('a tool older than the server is never used', async () => {
    const old = path.join(server.base, 'old');
    await mkdir(old);
    await writeFile(path.join(old, 'pg_dump'), '#!/bin/sh\necho "pg_dump (PostgreSQL) 14.9"\n');
    await chmod(path.join(old, 'pg_dump'), 0o755);
    const given = dumpComponent(serverConfig(server, { tools: { kind: 'host', directory: old } }), {
      databases: ['app'],
    });
    await expect(capture(given)).rejects.toMatchObject({
      code: 'PostgresVersion',
      message: expect.stringContaining(`${old} has 14`) as string,
    });
  });

  it('a standby is a source too; one that must cancel the dump says so, and waiting helps', async () => {
    const standby = await server.standby({ max_standby_streaming_delay: 0 });
    const there = dumpComponent(serverConfig(standby), { databases: ['app'] });
    const { dump } = await capture(there);
    expect(dump.server.inRecovery).toBe(true);
    expect(dump.databases[0]?.tables).toMatchObject([{ name: 'gate_me', rows: 30_000 }]);

    let replayed: unknown;
    // Of the sessions in its way recovery ends one after the other, and one that waits for its reader ends only when it is
    // read: then recovery stands still.
    const meets = async (): Promise<boolean> => {
      // Old rows go only when nothing on the primary may still look at them, and autovacuum may for a moment.
      await server.sql('VACUUM gate_me', { database: 'app' });
      const last = replayed;
      replayed = await standby.value('SELECT pg_last_wal_replay_lsn()::text');
      const ended = await standby.value(
        `SELECT (confl_snapshot + confl_lock)::int FROM pg_stat_database_conflicts WHERE datname = 'app'`,
      );
      const behind = await standby.value('SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()');
      return ended !== 0 || (behind === true && replayed === last);
    };
    const failure = await through(
      new Gate(async () => {
        await server.sql('UPDATE gate_me SET t = t', { database: 'app' });
        await expect.poll(meets, { timeout: 60_000, interval: 1000 }).toBe(true);
      }),
      there,
    );
    expect(failure).toMatchObject({ code: 'PostgresConflict', waitingHelps: true });
  });

  it('the server dies in the middle: a failure that is tried again, and the next attempt succeeds', async () => {
    const failure = await through(new Gate(() => server.kill()));
    expect(failure).toMatchObject({ waitingHelps: true });
    expect(['PostgresUnreachable', 'PostgresToolFailed']).toContain((failure as { code: string }).code);
    await server.start();
    expect((await capture(component())).dump.databases[0]?.tables[0]?.rows).toBeGreaterThan(0);
  });
});
