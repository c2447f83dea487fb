import { describe, expect, test } from 'vitest';
import { isolate, type RecordedContainer } from '../../src/policy/drill-isolation.ts';
import { freshServer, portInside, serverContainer } from '../../src/policy/drill-servers.ts';
import type { PostgresServer, PostgresTools } from '../../src/system/postgres-types.ts';

function container(service: string, hostConfig: object = {}, env: readonly string[] = []): RecordedContainer {
  return {
    ...{
      name: `shop-${service}-1`,
      service,
      image: `${service}:1`,
      networks: { shop_default: { Aliases: [service] } },
    },
    config: { Env: [...env] },
    hostConfig: { NetworkMode: 'shop_default', ...hostConfig },
  };
}

function server(tools: PostgresTools, more: Partial<PostgresServer> = {}): PostgresServer {
  return { port: 5432, tls: 'disable', maintenanceDatabase: 'postgres', tools, backup: { user: 'backup' }, ...more };
}

const published = { PortBindings: { '5432/tcp': [{ HostIp: '127.0.0.1', HostPort: '15432' }], '53/udp': [{}] } };
const stack = [container('web'), container('db', published)];

describe('which service is the server of a database', () => {
  const service = (wanted: string, project = 'shop'): PostgresTools => ({ kind: 'service', project, service: wanted });
  test.each<[string, PostgresServer, string | undefined]>([
    ['its service', server(service('db')), 'db'],
    ['a service of another project', server(service('db', 'other')), undefined],
    ['the name of its container', server({ kind: 'container', container: 'shop-db-1' }), 'db'],
    ['its service as the container', server({ kind: 'container', container: 'web' }), 'web'],
    ['the port that it publishes', server({ kind: 'host' }, { port: 15_432 }), 'db'],
    ['that port on this host by name', server({ kind: 'host' }, { port: 15_432, address: 'localhost' }), 'db'],
    ['that port of another machine', server({ kind: 'host' }, { port: 15_432, address: '10.0.0.9' }), undefined],
    ['a port that none publishes', server({ kind: 'host' }), undefined],
  ])('%s', (_, asked, expected) => {
    expect(serverContainer(asked, 'shop', stack)?.service).toBe(expected);
  });
});

test('how a fresh one is entered: as its image makes it, or as its environment says', () => {
  expect(freshServer(container('db'))).toEqual({ directory: '/var/lib/postgresql/data', user: 'postgres' });
  const env = ['POSTGRES_USER=watan', 'POSTGRES_PASSWORD=a=b\n c', 'PGDATA=/data/pg', 'EMPTY='];
  expect(freshServer(container('db', {}, env))).toEqual({ directory: '/data/pg', user: 'watan', password: 'a=b\n c' });
});

test('its port inside: behind the published one, its own, or the usual', () => {
  const db = container('db', published);
  expect(portInside(db, server({ kind: 'host' }, { port: 15_432 }))).toBe(5432);
  expect(portInside(db, server({ kind: 'container', container: 'x' }, { port: 5433 }))).toBe(5433);
  expect(portInside(db, server({ kind: 'container', container: 'x' }, { port: 6000, address: '10.0.0.1' }))).toBe(5432);
});

test.each([
  ['a restored volume', 'data:/var/lib/postgresql/data', []],
  ['a volume above it', 'other:/var/lib/postgresql', []],
  ['a directory of the host', '/srv/pg:/var/lib/postgresql/data', []],
  [
    'another directory of the host',
    '/srv/secret:/etc/other',
    ['db mounts /srv/secret of the host, which no component restores'],
  ],
])('the cluster of a server lies in %s: it begins empty, and only that', (_, bind, refused) => {
  const around = {
    volumes: { data: 'data.drill-1' },
    paths: { '/srv/app': '/scratch/app' },
    clusters: { 'shop-db-1': '/var/lib/postgresql/data' },
    containerName: (live: string) => `drill-${live}`,
    volumeName: (live: string) => `${live}.drill-1`,
    networkName: (live: string) => `drill-${live}`,
  };
  const made = isolate(
    [container('db', { Binds: [bind, 'data:/else', '/srv/app/init:/docker-entrypoint-initdb.d:ro'] })],
    around,
  );
  expect(made.refused).toEqual(refused);
  const sources = made.containers[0]?.mounts.map(({ source }) => source) ?? [];
  expect(sources.slice(-2)).toEqual(['data.drill-1', '/scratch/app/init']);
  if (refused.length === 0) expect(sources[0]).toMatch(/^shop-db-1-var-lib-postgresql(-data)?\.drill-1$/);
});
