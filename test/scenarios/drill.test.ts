/** A drill on real parts: PostgreSQL, files, a volume and a Compose project, started in isolation beside the live one. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../src/engine/ports.ts';
import { DRILL_LABEL } from '../../src/sources/kinds/volume-place.ts';
import type { BackupResult, DrillReport, DrillResult } from '../../src/workflows/contract.ts';
import { makeSite, type Site } from '../activities/site.ts';
import { TEST_LABEL } from '../support/docker.ts';
import {
  CONTAINER_PASSWORD,
  postgresCorner,
  type PostgresContainer,
  type PostgresCorner,
} from '../support/postgres-container.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { eventually } from '../workflows/stage.ts';

let corner: PostgresCorner;
let server: PostgresServer;
/** A service of the project. */
let database: PostgresContainer;
let site: Site;
let project: string;
let volume: string;
let port: number;
/** On every address of this host. */
let host: Server;
let hostPort: number;
let bridge: string;

const SERVE = `echo "$GREETING $(cat /etc/app/name)" > /data/index.html && exec busybox httpd -f -p 80 -h /data`;
const HEALTHY = 'test -s /data/ledger && busybox nc -w 3 db 5432 </dev/null';

beforeAll(async () => {
  corner = await postgresCorner();
  server = await startPostgres();
  port = await freePort();
  host = createServer((_, response) => response.end('the host'));
  host.listen(0, '0.0.0.0');
  await once(host, 'listening');
  hostPort = (host.address() as AddressInfo).port;
  project = `hfdrill${corner.id}`;
  await corner.raw.createNetwork({ Name: `${project}_default`, Labels: { [TEST_LABEL]: corner.id, ...labels('') } });
  const { IPAM } = (await corner.raw.getNetwork(`${project}_default`).inspect()) as {
    IPAM: { Config: { Gateway: string }[] };
  };
  bridge = IPAM.Config[0]?.Gateway ?? '';
  volume = await corner.volume({ 'com.docker.compose.project': project });
  site = await makeSite(systemOf);
  await mkdir(site.data('config'));
  await writeFile(site.data('password'), CONTAINER_PASSWORD, { mode: 0o600 });
  await mkdir(site.data('project'));
  await writeFile(site.data('config/name'), 'restored');
  await writeFile(site.data('project/compose.yaml'), `services: { web: { image: ${corner.image} } }\n`);
  await server.sql('CREATE DATABASE shop');
  await server.sql(
    `CREATE TABLE orders (id int PRIMARY KEY, at timestamptz DEFAULT now()); CREATE INDEX ON orders (at);
     INSERT INTO orders SELECT i FROM generate_series(1, 300) i`,
    { database: 'shop' },
  );
  database = await corner.postgres({
    name: `${project}-db-1`,
    compose: { project, service: 'db' },
    network: `${project}_default`,
    volume: await corner.volume(),
    binds: [`${site.data('config')}:/etc/app:ro`],
  });
  await database.sql("CREATE ROLE clerk LOGIN PASSWORD 'of a clerk'");
  await database.sql('CREATE DATABASE bank OWNER clerk');
  await database.sql(
    `CREATE TABLE accounts AS SELECT i AS id, i * 10 AS amount FROM generate_series(1, 50) i;
     ALTER TABLE accounts OWNER TO clerk`,
    'bank',
  );
  await corner.container({ script: 'echo 42 > /data/ledger', binds: [`${volume}:/data`] });
  await startService('web', { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] } });
  await site.startWorkers();
});

afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await corner.cleanUp();
  await corner.raw.getNetwork(`${project}_default`).remove();
  await server.dispose();
  host.close();
});

function labels(service: string): Record<string, string> {
  return {
    'com.docker.compose.project': project,
    ...(service === '' ? {} : { 'com.docker.compose.service': service }),
  };
}

async function startService(service: string, hostConfig: object, started = true): Promise<string> {
  const made = await corner.raw.createContainer({
    name: `${project}-${service}-1`,
    Image: corner.image,
    Cmd: ['sh', '-c', SERVE],
    Env: ['GREETING=hello'],
    Healthcheck: { Test: ['CMD-SHELL', HEALTHY], Interval: 2e8, Timeout: 5e9, Retries: 50 },
    Labels: {
      ...labels(service),
      'com.docker.compose.depends_on': 'db:service_started:false',
      [TEST_LABEL]: corner.id,
    },
    HostConfig: {
      Binds: [`${volume}:/data`, `${site.data('config')}:/etc/app:ro`],
      NetworkMode: `${project}_default`,
      ...hostConfig,
    },
  });
  if (started) await made.start();
  return made.id;
}

/** From inside a container: what any machine in the network of this host could ask of it. */
function askHost(): string {
  return `busybox nc -w 3 ${bridge} ${hostPort} </dev/null`;
}

function systemOf(data: (name: string) => string): string {
  return [
    'components:',
    `  ledger: { kind: volume, volume: ${volume}, quiesce: none, tier: critical }`,
    `  config: { kind: files, path: ${data('config')} }`,
    '  shop:',
    '    kind: postgres',
    `    server: { address: 127.0.0.1, port: ${server.port}, backup: { user: postgres } }`,
    '    databases: [shop]',
    '  bank:',
    '    kind: postgres',
    `    server: { service: db, backup: { user: postgres, password: { file: ${data('password')} } } }`,
    '    databases: [bank]',
    '    checks: { minimumRows: { accounts: 50 } }',
    '  balances:',
    '    kind: postgres',
    `    server: { service: db, backup: { user: postgres, password: { file: ${data('password')} } } }`,
    '    databases: [bank]',
    '    tables: [accounts]',
    `  stack: { kind: compose, project: ${project}, directory: ${data('project')}, healthTimeout: 10s }`,
    'plans:',
    '  daily: { components: [ledger, config, shop, bank, balances, stack], stores: [disk], rpo: 24h }',
    'objectives: { rto: 4h }',
    'checks:',
    `  page: { http: { url: 'http://localhost:${port}/index.html', contains: hello restored }, within: 60s }`,
    "  orders: { sql: { component: shop, query: 'SELECT count(*) FROM orders', atLeast: 300 } }",
    '  recent: { sql: { component: shop, query: "SELECT count(*) FROM orders WHERE at > now() - interval \'1 day\'", atLeast: 1 } }',
    '  index: { sql: { component: shop, query: "SELECT count(*) FROM pg_index WHERE indrelid = \'orders\'::regclass AND indisvalid", equals: 2 } }',
    '  ledger: { command: [test, -s, /data/ledger], service: web }',
    '  sum: { sql: { component: bank, query: SELECT sum(amount) FROM accounts, equals: 12750 } }',
    '  balances: { sql: { component: balances, query: SELECT count(*) FROM accounts, equals: 50 } }',
    '  owner: { command: [psql, -qAt, -U, clerk, -d, bank, -c, SELECT 1 / count(*) FROM accounts], service: db }',
    `  no-way-out: { command: [sh, -c, '! ${askHost()}'], service: web }`,
    'drills:',
    '  weekly: { schedule: 0 22 * * FRI, plan: daily }',
  ].join('\n');
}

/** What bears a drill's label, and what is left in the state of the system. */
async function left(): Promise<string[]> {
  const filters = { label: [DRILL_LABEL] };
  const containers = await corner.raw.listContainers({ all: true, filters });
  const networks = await corner.raw.listNetworks({ filters });
  const volumes = (await corner.raw.listVolumes({ filters })).Volumes;
  const state = path.join(site.directory, 'home', 'state', site.system);
  const rooms = ['drills', 'restores', 'runs', 'scratch-servers'].filter((name) => existsSync(path.join(state, name)));
  const files = await Promise.all(rooms.map((name) => readdir(path.join(state, name))));
  return [
    ...containers.flatMap(({ Names }) => Names),
    ...networks.map(({ Name }) => Name),
    ...volumes.map(({ Name }) => Name),
    ...files.flat(),
  ];
}

const drill = (input: object): Promise<DrillResult> => site.run<DrillResult>('drill', input);

const badOf = ({ report }: DrillResult): DrillReport['checks'] => report?.checks.filter(({ ok }) => !ok) ?? [];

describe('a drill of a whole stack', () => {
  test('restored, started in isolation, asked, measured, proved; the live one goes on, nothing is left [M9] [T12] [B9] [W6] [G7]', async () => {
    const { backup } = await site.run<BackupResult>('backup', { plan: 'daily' });
    const live = await corner.docker.exec(`${project}-web-1`, {
      command: ['sh', '-c', askHost()],
      signal: AbortSignal.timeout(30_000),
    });
    await text(live.stdout);
    expect((await live.ended).exitCode).toBe(0);
    const before = await corner.raw.getContainer(`${project}-web-1`).inspect();
    // Whoever asked the live server would wait for ever.
    await corner.docker.pause(database.id);
    const result = await drill({ kind: 'weekly', by: 'ann' });
    await corner.docker.unpause(database.id);
    expect(badOf(result)).toEqual([]);
    expect(result).toMatchObject({ outcome: 'passed', proofs: [{ backup, ok: true }] });
    const { report } = result;
    expect(report?.stack).toMatchObject({ services: 2, refused: [] });
    expect(report?.stack?.isolated).toContain('web publishes no ports');
    expect(report?.stack?.isolated.join()).toContain('db begins with an empty cluster');
    const asked = report?.checks.map(({ name }) => name).filter((name) => name.startsWith('check '));
    const wanted = ['balances', 'index', 'ledger', 'no-way-out', 'orders', 'owner', 'page', 'recent', 'sum'].map(
      (name) => `check ${name}`,
    );
    expect(asked?.toSorted()).toEqual(wanted);
    expect(report?.warnings.filter((words) => words.includes('was not asked'))).toEqual([]);
    expect(report?.rtoObjectiveSeconds).toBe(14_400);
    const after = await corner.raw.getContainer(`${project}-web-1`).inspect();
    expect(after.State.StartedAt).toBe(before.State.StartedAt);
    expect(await left()).toEqual([]);
  });

  test('a hostile project: it is not started, the report says why, the data is rehearsed all the same', async () => {
    const evil = await startService('evil', { Privileged: true, PidMode: 'host' }, false);
    try {
      await site.run<BackupResult>('backup', { plan: 'daily' });
      const result = await drill({ kind: 'weekly' });
      expect(result.outcome).toBe('passed');
      expect(result.report?.stack?.refused).toEqual(['evil is privileged', 'evil shares processes with host']);
      expect(result.report?.warnings.join()).toContain('check page was not asked');
      expect(await left()).toEqual([]);
    } finally {
      await corner.raw.getContainer(evil).remove({ force: true });
    }
  });

  test('the service does not become healthy on what was restored: failed, with its reason; nothing is left', async () => {
    await corner.container({ script: 'echo -n > /data/ledger', binds: [`${volume}:/data`] });
    await eventually('the ledger is empty', async () => {
      const seen = await corner.docker.exec(`${project}-web-1`, {
        command: ['cat', '/data/ledger'],
        signal: AbortSignal.timeout(30_000),
      });
      return (await text(seen.stdout)) === '' || undefined;
    });
    await site.run<BackupResult>('backup', { plan: 'daily' });
    const result = await drill({ plan: 'daily' });
    expect(result).toMatchObject({ outcome: 'failed', proofs: [{ ok: false }] });
    expect(badOf(result)[0]).toMatchObject({ component: 'stack', name: 'service web' });
    expect(await left()).toEqual([]);
  });
});
