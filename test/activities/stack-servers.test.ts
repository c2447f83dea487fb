import { afterAll, describe, expect, test } from 'vitest';
import { serversOf } from '../../src/activities/stack-servers.ts';
import { connectDocker } from '../../src/docker/connect.ts';
import type { ContainerFacts } from '../../src/docker/types.ts';
import type { Component, PostgresServer } from '../../src/system/types.ts';
import { dumpComponent } from '../postgres/dump-helpers.ts';

/** Not asked here: a server in a container is known by its name or its labels. */
const docker = connectDocker();
afterAll(() => {
  docker.close();
});

function container(service: string, volumes: readonly string[] = [], project = 'watan'): ContainerFacts {
  return {
    id: `${project}-${service}-id`,
    name: `${project}-${service}-1`,
    image: 'some',
    state: 'running',
    startedAt: '2026-11-21T00:00:00Z',
    health: 'none',
    project,
    service,
    labels: {},
    volumes,
    writes: volumes,
  };
}

function dump(tools: PostgresServer['tools']): Component {
  return dumpComponent({
    port: 5432,
    tls: 'disable',
    maintenanceDatabase: 'postgres',
    tools,
    backup: { user: 'postgres' },
  });
}

const volume = { name: 'data', kind: 'volume', volume: 'pgdata' } as Component;
const inService = dump({ kind: 'service', project: 'watan', service: 'db' });
const stack = [container('db', ['pgdata']), container('bot'), container('db', [], 'other')];

describe('the servers that dumps go into', () => {
  test('of a service and of a named container: those, and no other one of the same name', async () => {
    expect(await serversOf(docker, stack, [inService])).toEqual(new Set(['watan-db-id']));
    const named = dump({ kind: 'container', container: 'watan-db-1' });
    expect(await serversOf(docker, stack, [named])).toEqual(new Set(['watan-db-id']));
    expect(await serversOf(docker, stack, [volume])).toEqual(new Set());
  });

  test('a dump and the volume of its server together: refused, and which of the two to choose is asked', async () => {
    await expect(serversOf(docker, stack, [inService, volume])).rejects.toMatchObject({
      code: 'BadInput',
      hint: 'The volume is that of the server watan-db-1: choose one of the two with --component.',
    });
  });
});
