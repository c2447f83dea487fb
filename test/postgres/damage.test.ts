import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { isDamageFound, toolFailure } from '../../src/postgres/errors.ts';
import { environmentOf, startPostgres } from '../support/postgres.ts';
import type { PostgresServer } from '../support/postgres.ts';

const run = promisify(execFile);

async function amcheckOn(server: PostgresServer) {
  try {
    await run(join(server.bin, 'pg_amcheck'), ['postgres'], { env: environmentOf(server.connection()) });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return toolFailure('pg_amcheck', { exitCode: code, killedBy: undefined, stderr }, undefined);
  }
}

test('a damaged index: pg_amcheck has found it; a server that is gone: nothing was found, and it is no verdict on the data', async () => {
  await using server = await startPostgres();
  await server.sql(
    'CREATE EXTENSION amcheck; CREATE TABLE t AS SELECT md5(n::text) AS m FROM generate_series(1, 9000) n',
  );
  await server.sql('CREATE INDEX i ON t (m)');
  expect(await amcheckOn(server)).toBeUndefined();
  const path = String(await server.value(`SELECT pg_relation_filepath('i')`));
  await server.stop();
  const file = await open(join(server.data, path), 'r+');
  await file.write(Buffer.alloc(600, 'A'), 0, 600, 3 * 8192 + 2000);
  await file.close();
  await server.start();
  const damaged = await amcheckOn(server);
  expect(damaged && isDamageFound(damaged)).toBe(true);
  await server.kill();
  const gone = await amcheckOn(server);
  expect(gone && isDamageFound(gone)).toBe(false);
  expect(gone?.code).toBe('PostgresUnreachable');
});
