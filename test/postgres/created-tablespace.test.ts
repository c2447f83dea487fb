/** A tablespace that came after the base backup: its creation must not be replayed into the directory of the live one. */
import { chown, cp, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSegmentName } from '../../src/policy/lsn.ts';
import type { RestoreTarget } from '../../src/sources/kinds/component.ts';
import { postgresBaseKind } from '../../src/sources/kinds/postgres-base.ts';
import { contextIn, MemorySink } from '../sources/kinds-helpers.ts';
import { serverAccount, startPostgres, type PostgresServer } from '../support/postgres.ts';
import { baseComponent } from './cluster-component.ts';
import { walDirectory } from './wal-directory.ts';

let server: PostgresServer;
let place: string;
const backup = new MemorySink();

beforeAll(async () => {
  server = await startPostgres({ walSegmentMiB: 1, settings: { wal_keep_size: '256MB' } });
  place = join(server.base, 'fast');
  await mkdir(place, { mode: 0o700 });
  const account = serverAccount();
  if (account !== undefined) await chown(place, account.uid, account.gid);
});
afterAll(() => server.dispose());

const lsn = async (): Promise<string> => String(await server.value('SELECT pg_current_wal_lsn()::text'));

/** Everything below a directory, with what the files hold. */
async function contents(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(file, 'base64')] as const)));
}

describe('a log that creates a tablespace', () => {
  it('is not replayed beside the live server, whose files stay as they are; up to the moment before, it is', async () => {
    const component = baseComponent(server);
    const context = contextIn(server.base);
    await postgresBaseKind.capture(component, backup, context);
    await server.sql('CREATE TABLE before AS SELECT 1 AS n');
    const good = await lsn();
    await server.sql(`CREATE TABLE between AS SELECT 1 AS n`);
    await server.sql(`CREATE TABLESPACE fast LOCATION '${place}'`);
    await server.sql('CREATE TABLE swift TABLESPACE fast AS SELECT 1 AS n');
    await server.sql('SELECT pg_switch_wal()');
    await server.sql('UPDATE swift SET n = 2; CHECKPOINT');
    const log = join(server.base, 'copied-log');
    await mkdir(log);
    for (const name of (await readdir(join(server.data, 'pg_wal'))).filter(isSegmentName)) {
      await cp(join(server.data, 'pg_wal', name), join(log, name));
    }
    const before = await contents(place);
    expect(before.size).toBeGreaterThan(0);

    const restore = (recoverTo: string, id: string) => {
      const elsewhere = join(server.base, id);
      const wal = () => Promise.resolve(walDirectory(log, Date.now()));
      const target: RestoreTarget = { elsewhere, paths: [], wal, recoverTo };
      return postgresBaseKind.restoreBeside(component, backup.readers, target, id, context);
    };
    await expect(restore('end', 'too-far')).rejects.toMatchObject({
      code: 'Unreachable',
      message: expect.stringContaining(`creates a tablespace in ${place}`) as string,
      hint: expect.stringContaining('--to-lsn') as string,
    });
    expect(await contents(place)).toEqual(before);
    await postgresBaseKind.discard(
      component,
      { component: component.name, restoreId: 'too-far', place: '', facts: {} },
      context,
    );

    const beside = await restore(`lsn:${good}`, 'near');
    expect(await postgresBaseKind.checkBeside(component, beside, context)).toMatchObject({ ok: true });
    expect(await contents(place)).toEqual(before);
    await postgresBaseKind.discard(component, beside, context);
    expect((await readdir(server.base)).filter((name) => name.includes('holdfast'))).toEqual([]);
  });
});
