/** What `doctor` says of real servers: fit ones, and ones whose settings or rights would fail later. */
import { chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDocker } from '../../src/docker/connect.ts';
import { examinePostgres } from '../../src/cli/examine-postgres.ts';
import type { Finding } from '../../src/cli/examination.ts';
import type { PostgresBaseComponent, PostgresComponent, PostgresWal } from '../../src/system/types.ts';
import { startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { dumpComponent, serverConfig } from './dump-helpers.ts';

const docker = connectDocker();
const WAL: PostgresWal = {
  mode: 'stream',
  slot: 'holdfast_database',
  everySeconds: 5,
  slotBoundBytes: 2 ** 30,
  store: 'disk',
};

const examine = (component: PostgresComponent): Promise<Finding[]> =>
  examinePostgres('component database', component, docker);
const bad = (findings: readonly Finding[]): string[] =>
  findings.filter(({ state }) => state !== 'ok').map(({ state, detail }) => `${state}: ${detail}`);

function baseComponent(server: PostgresServer, user: string, wal: Partial<PostgresWal> = {}): PostgresBaseComponent {
  const {
    name,
    kind,
    tier,
    host,
    after,
    server: on,
    checks,
    usedBy,
  } = dumpComponent(serverConfig(server, { backup: { user } }));
  return { name, kind, tier, host, after, server: on, checks, usedBy, method: 'base', wal: { ...WAL, ...wal } };
}

describe('servers that are examined', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres({
      settings: {
        fsync: true,
        archive_mode: 'on',
        archive_command: '',
        archive_timeout: 3600,
        max_slot_wal_keep_size: '1GB',
      },
      hba: ['local replication kept_out reject', 'host replication kept_out all reject'],
    });
    await server.sql(
      `CREATE ROLE keeper LOGIN; GRANT pg_read_all_data TO keeper; CREATE ROLE weak LOGIN;
       CREATE ROLE streamer LOGIN REPLICATION; GRANT pg_monitor TO streamer; CREATE ROLE kept_out LOGIN REPLICATION`,
    );
    await server.sql('CREATE TABLE t (a int); CREATE TABLE u (a int); ALTER TABLE u ENABLE ROW LEVEL SECURITY');
    await server.sql(`SELECT lo_from_bytea(0, 'abc')`);
  });
  afterAll(async () => {
    await server.dispose();
  });

  const dumped = (user: string, databases: readonly string[] = ['postgres']) =>
    examine(dumpComponent(serverConfig(server, { backup: { user } }), { databases }));
  const checksumsOff = async (): Promise<string[]> =>
    (await server.value('SHOW data_checksums')) === 'off'
      ? ['warn: data checksums are off: a damaged page is read as if it were good']
      : [];

  it('a tablespace outside the data directory: a base backup is said to be impossible, with what to do', async () => {
    const place = join(server.base, 'fast');
    await mkdir(place);
    const { uid, gid } = await stat(server.data);
    await chown(place, uid, gid);
    await server.sql(`CREATE TABLESPACE fast LOCATION '${place}'`);
    const said = (await examine(baseComponent(server, 'postgres'))).find(({ detail }) => detail.includes('tablespace'));
    expect(said).toMatchObject({ state: 'fail', detail: expect.stringContaining(`fast in ${place}`) as string });
    expect(said?.doThis).toContain('method: dump');
    await server.sql('DROP TABLESPACE fast');
  });

  it('a superuser sees a server that can be dumped', async () => {
    const findings = await dumped('postgres');
    expect(findings[0]).toMatchObject({
      state: 'ok',
      detail: expect.stringMatching(/^PostgreSQL 15\.\S+, 1 database of/) as string,
    });
    expect(bad(findings)).toEqual(await checksumsOff());
  });

  it('rights that lack are named with what they would have failed, and where to get them', async () => {
    expect(bad(await dumped('weak'))).toEqual(
      expect.arrayContaining([
        "fail: postgres: 2 tables can't be read: public.t, public.u",
        'fail: postgres: row level security hides rows of 1 tables: public.u',
        'warn: postgres: 1 large objects have other owners and may not be readable',
      ]),
    );
    const keeper = await dumped('keeper', ['postgres', 'nowhere']);
    expect(bad(keeper)).toContain('fail: there is no database nowhere');
    expect(bad(keeper).join()).not.toContain("can't be read");
    expect(keeper.find(({ detail }) => detail.includes('row level'))?.doThis).toContain('holdfast grants');
  });

  it('[T1] [B1] an archive that can keep no recovery point: each setting is named, with the line that mends it', async () => {
    const archive = baseComponent(server, 'streamer', { mode: 'archive', archiveDirectory: '/nowhere' });
    const findings = await examine(archive);
    expect(bad(findings)).toEqual([
      'fail: archive_command is empty: no log is archived',
      'fail: archive_timeout is 3600 s; at most 900 s keep the recovery point',
      ...(await checksumsOff()),
    ]);
    expect(findings.find(({ detail }) => detail.startsWith('archive_timeout'))?.doThis).toMatch(
      /^ALTER SYSTEM SET archive_timeout/,
    );

    await server.sql(`ALTER SYSTEM SET archive_timeout = '300s'`);
    await server.sql(`ALTER SYSTEM SET archive_command = 'false'`);
    await server.sql('SELECT pg_reload_conf()');
    await server.sql('SELECT pg_switch_wal()');
    await expect
      .poll(async () => bad(await examine(archive)).join(), { timeout: 60_000 })
      .toMatch(/fail: archiving fails at 0000/);

    await server.sql(`ALTER SYSTEM SET archive_command = 'true'`);
    await server.sql('SELECT pg_reload_conf()');
    await expect
      .poll(async () => bad(await examine(archive)), { timeout: 120_000, interval: 500 })
      .toEqual(await checksumsOff());
  });

  it('a role that may not replicate, by its rights or by pg_hba.conf', async () => {
    expect(bad(await examine(baseComponent(server, 'weak'))).join()).toContain('fail: the role may not replicate');
    const out = await examine(baseComponent(server, 'kept_out'));
    expect(out.find(({ what }) => what.endsWith('replication'))?.doThis).toContain('pg_hba.conf');
  });

  it('a slot that holds back too much of the log is told long before the disk is full', async () => {
    await server.sql('CHECKPOINT');
    await server.sql(`SELECT pg_create_physical_replication_slot('holdfast_database', true)`);
    const component = baseComponent(server, 'streamer', { slotBoundBytes: 40 * 2 ** 20 });
    expect(bad(await examine(component))).toEqual(await checksumsOff());
    for (let segment = 0; segment < 3; segment += 1) {
      await server.sql(`INSERT INTO t VALUES (1); SELECT pg_switch_wal()`);
    }
    await server.sql(`INSERT INTO t VALUES (1)`);
    expect(bad(await examine(component)).join()).toMatch(
      /the slot holdfast_database holds back \S+ MiB of the log, of 40 MiB at most/,
    );
    await server.sql(`SELECT pg_drop_replication_slot('holdfast_database')`);
  });

  it('a server set up without a log, and with a slot that nothing bounds', async () => {
    await using bare = await startPostgres({ settings: { wal_level: 'minimal', max_wal_senders: 0 } });
    const found = bad(await examine(baseComponent(bare, 'postgres')));
    expect(found).toEqual(
      expect.arrayContaining([
        'fail: wal_level is minimal: neither a base backup nor its log can be had',
        'fail: max_wal_senders is 0 and 0 are in use: base backup and log need 3',
        'warn: max_slot_wal_keep_size has no limit: if nobody reads the slot, the log fills the disk of the server',
        'warn: fsync is off: a crash of the machine may destroy the cluster',
      ]),
    );
  });
});
