/** Watan: wallets' rows deleted by accident, and a database garbled so that all of it has to come back. */
import { once } from 'node:events';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import type { RestoreResult } from '../../../src/workflows/contract.ts';
import { freePort } from '../../../src/engine/ports.ts';
import { Client } from '../client.ts';
import { s3Stores } from '../clouds.ts';
import type { Disaster, Example, Scene, Stage } from '../example.ts';
import type { Operator } from '../operator.ts';
import { rootOf, secretAt, Stack } from '../stack.ts';

const NAME = 'watan';
const DELETED_USERS = 'user_id <= 20';
const HOUR = 3600;

/** By the service's own psql; throws with what it said. */
async function sql(stack: Stack, query: string, database = NAME): Promise<string> {
  const exec = await stack.container('postgres').exec({
    Cmd: ['psql', '-X', '-At', '-v', 'ON_ERROR_STOP=1', '-U', NAME, '-d', database, '-c', query],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({});
  const [out, err] = [new PassThrough(), new PassThrough()];
  stack.docker.modem.demuxStream(stream, out, err);
  void once(stream, 'end').then(() => [out, err].forEach((each) => each.end()));
  const [stdout, stderr] = await Promise.all([text(out), text(err)]);
  if ((await exec.inspect()).ExitCode !== 0) throw new Error(`psql: ${stderr.trim()}`);
  return stdout.trimEnd();
}

function rowsDeleted(stack: Stack, client: Client): Disaster {
  const balances = 'UPDATE users SET balance = (SELECT coalesce(sum(amount), 0) FROM deposit WHERE user_id = users.id)';
  return {
    name: 'wallets',
    title: 'Deposits of twenty users are deleted; everybody else goes on',
    rows: ['W4', 'W1'],
    objective: { rtoSeconds: HOUR, rpoSeconds: 1.5 * HOUR },
    plans: ['wallets'],
    async break() {
      const deleted = await sql(
        stack,
        `WITH gone AS (DELETE FROM deposit WHERE ${DELETED_USERS} RETURNING 1) SELECT count(*) FROM gone`,
      );
      return `DELETE FROM deposit WHERE ${DELETED_USERS}: ${deleted} rows are gone`;
    },
    seen: () => client.trouble(),
    async bringBack(operator) {
      const wallets = ['--plan', 'wallets', '--component', 'wallets', '--target', 'wallets_tmp'];
      const beside = await operator.ask<RestoreResult>('restore', NAME, ...wallets);
      if (beside.outcome !== 'restored') throw new Error(`the wallets are not beside: ${beside.outcome}`);
      await sql(stack, `SELECT 1 / (count(*) > 0)::int FROM deposit WHERE ${DELETED_USERS}`, 'wallets_tmp');
      await sql(stack, 'DROP DATABASE wallets_tmp');
      const rows = ['rows', NAME, 'wallets', '--table', 'deposit', '--where', DELETED_USERS, '--plan', 'wallets'];
      await operator.approved(rows, () => ['what is missing is added, while everybody goes on working']);
      // What came after the hourly backup is owed by nobody's copy: the balances follow the deposits that are there.
      await sql(stack, balances);
    },
  };
}

function garbled(stack: Stack, client: Client): Disaster {
  return {
    name: 'full',
    title: 'A migration gone wrong garbles every table',
    rows: ['W4', 'W2'],
    objective: { rtoSeconds: 4 * HOUR, rpoSeconds: 26 * HOUR },
    plans: ['full'],
    async break() {
      await sql(
        stack,
        `UPDATE users SET balance = 0, name = 'garbled'; UPDATE deposit SET amount = 0 WHERE id % 2 = 0`,
      );
      return 'every balance is 0, every second deposit too';
    },
    seen: () => client.trouble(),
    async bringBack(operator: Operator) {
      const result = await operator.restore(NAME, '--plan', 'full', '--component', 'full');
      if (result.safetyBackup === undefined) throw new Error('the garbled database was not saved first');
    },
    async check() {
      const names = await sql(stack, `SELECT count(*) FROM users WHERE name = 'garbled'`);
      if (names !== '0') throw new Error(`${names} users are garbled still`);
      const beside = await sql(
        stack,
        `SELECT datname FROM pg_database WHERE datname LIKE 'watan\\_\\_before%'`,
        'postgres',
      );
      if (beside === '') throw new Error('the garbled database was not kept aside');
      return `no name is garbled; the garbled database is kept aside as ${beside}`;
    },
  };
}

function allOfItLost(stack: Stack, client: Client): Disaster {
  const configuration = ['.env', 'docker-compose.yml', 'schema.sql'].map((name) => join(stack.directory, name));
  return {
    name: 'whole',
    title: 'The database is dropped and the project’s files are deleted: all of it comes back together',
    rows: ['W4', 'W2'],
    objective: { rtoSeconds: 4 * HOUR, rpoSeconds: 26 * HOUR },
    plans: ['full'],
    async break() {
      await sql(stack, `DROP DATABASE ${NAME} WITH (FORCE)`, 'postgres');
      for (const file of configuration) await rm(file);
      return `DROP DATABASE ${NAME}, and ${configuration.join(', ')} are deleted`;
    },
    seen: () => client.trouble(),
    async bringBack(operator: Operator) {
      // `wallets` is a part of the same database, for inspection: as a component of its own it would need a backup too.
      await operator.whole(NAME, '--component', 'full', '--component', 'config', '--component', 'stack');
    },
    async check() {
      const [environment] = configuration;
      const mode = (await stat(environment ?? '')).mode & 0o777;
      if (mode !== 0o600) throw new Error(`.env has the mode ${mode.toString(8)}`);
      return '.env is there, for its owner only';
    },
  };
}

export const watan: Example = {
  name: NAME,
  title: 'Watan: PostgreSQL in a Compose service, wallets every hour, everything every night',
  plans: ['full', 'wallets'],
  async open(stage: Stage): Promise<Scene> {
    const [postgres, services] = [await stage.image('postgres'), await stage.image('services')];
    const port = await freePort();
    const variables = { POSTGRES_IMAGE: postgres, SERVICES_IMAGE: services, BACKEND_PORT: String(port) };
    const stack = await Stack.start(stage, { name: NAME, home: '/root/watan', variables });
    await secretAt(stage, '/etc/holdfast/watan.password', stack.password);
    const clouds = await s3Stores(
      stage.cleanup,
      { offsite: { bucket: 'watan-offsite', region: 'eu-west-1', locked: true } },
      { id: ['WATAN_BACKUP_ACCESS_KEY_ID'], secret: ['WATAN_BACKUP_SECRET_ACCESS_KEY'] },
    );
    const client = new Client(() => Promise.resolve(`http://127.0.0.1:${port}`), 'deposits');
    return {
      client,
      differences: {
        root: rootOf(stage),
        projects: { [NAME]: stack.project },
        stores: clouds.stores,
        set: [{ at: ['checks', 'health', 'http', 'url'], value: `http://127.0.0.1:${port}/health` }],
      },
      environment: clouds.environment,
      disasters: [rowsDeleted(stack, client), garbled(stack, client), allOfItLost(stack, client)],
      differs: [
        `its paths lie below ${rootOf(stage)}, its Compose project is ${stack.project}`,
        'its bucket, with Object Lock, is of a server on loopback',
        'nothing runs by its schedule, only what follows changes: the plans are run by hand',
      ],
    };
  },
};
