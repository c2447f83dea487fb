import { describe, expect, it } from 'vitest';
import { rivalsOf } from '../../src/activities/whole-stock.ts';
import type { Candidate } from '../../src/policy/whole-system.ts';
import { systemFrom } from '../system/small-system.ts';

const server = (port: number): string => `{ port: ${port}, backup: { user: holdfast } }`;

/** A cluster, a dump of its server, and a dump of another one. */
function components(dataDirectory: string) {
  return systemFrom('tracktion', [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components:',
    `  cluster: { kind: postgres, method: base, server: ${server(5432)}${dataDirectory} }`,
    `  database: { kind: postgres, server: ${server(5432)}, databases: [tracktion] }`,
    `  reports: { kind: postgres, server: ${server(5433)}, databases: [reports] }`,
    'plans: { daily: { components: [cluster, database, reports], stores: [nas] } }',
  ]).components;
}

const stock = (...names: string[]): Candidate[] =>
  names.map((name) => ({
    store: 'nas',
    manifestKey: name,
    backup: name,
    plan: 'daily',
    pointAt: '2026-11-21T02:00:00Z',
    components: [name],
  }));

const WITH_PLACE = ', dataDirectory: /var/lib/postgresql/15/main';

describe('[T1] [T9] a cluster and a dump of the same server', () => {
  const kept = (dataDirectory: string, ...names: string[]): string[] =>
    rivalsOf(components(dataDirectory), stock(...names)).components.map(({ name }) => name);

  it('both are there: the cluster comes back, and with it what the dump has; other servers are not concerned', () => {
    expect(kept(WITH_PLACE, 'cluster', 'database', 'reports')).toEqual(['cluster', 'reports']);
    expect(rivalsOf(components(WITH_PLACE), stock('cluster', 'database')).notes).toEqual([
      'database: comes back with the whole cluster of its server, cluster',
    ]);
  });

  it('the cluster can not be exchanged, or no backup of it is usable: the dump comes back', () => {
    expect(kept('', 'cluster', 'database')).toEqual(['database', 'reports']);
    expect(kept(WITH_PLACE, 'database')).toEqual(['database', 'reports']);
  });

  it('neither has a backup: the cluster is the one that is missed', () => {
    expect(kept(WITH_PLACE)).toEqual(['cluster', 'reports']);
  });
});
