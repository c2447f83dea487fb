/** Run as a program, to be killed: starts a tool in the container that is named, and says when its output has begun. */
import { connectDocker } from '../../src/docker/connect.ts';
import { openPostgres } from '../../src/postgres/open.ts';

const [, , container = '', password = ''] = process.argv;
const access = await openPostgres(
  {
    port: 5432,
    tls: 'disable',
    maintenanceDatabase: 'postgres',
    tools: { kind: 'container', container },
    backup: { user: 'postgres', password: { env: 'X' } },
  },
  'backup',
  { docker: () => connectDocker(), resolveSecret: () => Promise.resolve(password) },
);
const { signal } = new AbortController();
const run = await access.run('psql', ['-XAtc', `SELECT 'begun'`, '-c', 'SELECT pg_sleep(601)'], { signal });
for await (const bytes of run.stdout) process.stdout.write(bytes);
await run.done;
