import { describe, expect, test } from 'vitest';
import { chooseForDrill, plansCovering } from '../../src/policy/drill-choice.ts';
import { isolate, type RecordedContainer } from '../../src/policy/drill-isolation.ts';
import { judgeDrills } from '../../src/policy/judge-drills.ts';
import { drillSamples } from '../../src/metrics/drill-samples.ts';
import type { DrillReport } from '../../src/workflows/contract.ts';
import { systemFrom } from '../system/small-system.ts';
import {
  compareWith,
  componentObjectives,
  measuredComponents,
  missedObjectives,
  outcomeOfFailure,
} from '../../src/policy/drill-verdict.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 22);
const backup = (id: string, days: number, components = ['db', 'files'], plan = 'daily') => ({
  ...{ id, plan, components },
  pointAtMs: NOW - days * DAY,
});
const idsOf = ({ chosen }: ReturnType<typeof chooseForDrill>): string[] =>
  chosen.map(({ backup: { id }, components }) => `${id}: ${components.join(' ')}`);

describe('which backup a drill takes', () => {
  const all = [backup('a', 1), backup('b', 8), backup('c', 29), backup('d', 33), backup('e', 60)];

  test('the newest, one of about thirty days, one by its id [B9]', () => {
    const components = ['db', 'files'];
    expect(idsOf(chooseForDrill(all, { components }, NOW))).toEqual(['a: db files']);
    const old = chooseForDrill(all, { components, olderThanSeconds: 30 * 86_400 }, NOW);
    expect(idsOf(old)).toEqual(['c: db files']);
    expect(old.warnings).toEqual([]);
    expect(idsOf(chooseForDrill(all, { components, backup: 'd' }, NOW))).toEqual(['d: db files']);
  });

  test('each component from the newest that holds it, whatever the order; what is nowhere is told', () => {
    const known = [backup('old', 2), backup('new', 0.1, ['db'], 'hourly')];
    const found = chooseForDrill(known.toReversed(), { components: ['db', 'files', 'ledger'] }, NOW);
    expect(idsOf(found)).toEqual(['new: db', 'old: files']);
    expect(found.warnings).toEqual(['in no such backup, so not rehearsed: ledger']);
    expect(() => chooseForDrill(known, { components: ['ledger'] }, NOW)).toThrow('no usable backup');
  });

  test('two at the same moment: the one that holds more, so that it is restored whole', () => {
    const known = [backup('part', 1, ['db'], 'hourly'), backup('whole', 1)];
    expect(idsOf(chooseForDrill(known, { components: ['db', 'files'] }, NOW))).toEqual(['whole: db files']);
  });

  test('plans for a fresh backup: as few as capture everything', () => {
    const plans = [
      { name: 'hourly', components: ['db'] },
      { name: 'daily', components: ['db', 'files'] },
      { name: 'ledger', components: ['ledger'] },
    ];
    expect(plansCovering(plans, ['db', 'files', 'ledger'])).toEqual(['daily', 'ledger']);
  });
});

describe('what the figures say', () => {
  const report = (rtoSeconds: number, drillId = 'now', days = 0) => ({
    ...{ drillId, kind: 'weekly', outcome: 'passed' as const, rtoSeconds },
    startedAt: new Date(NOW - days * DAY).toISOString(),
  });

  test('compared with those of its kind that passed; too few, and there is nothing to compare with', () => {
    const earlier = [report(10, 'a', 7), report(12, 'b', 14), report(11, 'c', 21)];
    expect(compareWith(report(12), earlier)).toMatchObject({ drills: 3, medianRtoSeconds: 11, isRegression: false });
    expect(compareWith(report(30), earlier)).toMatchObject({ isRegression: true });
    expect(compareWith(report(30), earlier.slice(0, 1))).toBeUndefined();
    expect(
      compareWith(report(30), [...earlier.slice(0, 1), { ...report(1, 'x', 1), kind: 'monthly' }]),
    ).toBeUndefined();
    expect(compareWith(report(2), [report(1, 'a', 7), report(1, 'b', 14)])).toMatchObject({ isRegression: false });
  });

  test('objectives: met at the limit, missed beyond it, and by a plan without a backup [T12] [G7]', () => {
    const losses = [{ plan: 'daily', ageSeconds: 60, objectiveSeconds: 60 }, { plan: 'rare' }];
    const met = { outcome: 'passed' as const, rtoSeconds: 30, rtoObjectiveSeconds: 30, losses };
    expect(missedObjectives(met)).toEqual([]);
    expect(missedObjectives({ ...met, rtoSeconds: 31 })).toEqual(['RTO: it took 31 s of 30 s']);
    const lost = [{ plan: 'daily', objectiveSeconds: 60 }];
    expect(missedObjectives({ ...met, losses: lost })).toEqual(['RPO: plan daily has no usable backup']);
  });

  test('components: measured against their own objective, else that of their tier; what was not checked is not measured [T12]', () => {
    const components = [
      { name: 'db', tier: 'critical' },
      { name: 'ledger', tier: 'critical' },
      { name: 'files', tier: 'reference' },
    ] as unknown as Parameters<typeof componentObjectives>[0]['components'];
    const objectives = componentObjectives({
      components,
      objectives: { rtoSeconds: 90, tiers: { critical: 60 }, components: { ledger: 10 } },
    });
    expect(objectives).toEqual({ db: 60, ledger: 10 });
    const phases = [
      ...[
        { name: 'restore db', seconds: 50 },
        { name: 'check db', seconds: 10.5 },
      ],
      ...[
        { name: 'restore ledger', seconds: 9 },
        { name: 'restore files', seconds: 500 },
      ],
    ];
    const measured = measuredComponents(phases, objectives);
    expect(measured).toEqual([{ component: 'db', seconds: 60.5, objectiveSeconds: 60 }]);
    const report = { outcome: 'passed', rtoSeconds: 80, losses: [], measured } as const;
    expect(missedObjectives(report)).toEqual(['RTO of db: it took 60.5 s of 60 s']);
    expect(missedObjectives({ ...report, outcome: 'failed' })).toEqual([]);
  });

  test('a full disk says nothing about a backup, a chunk that is gone does', () => {
    expect(outcomeOfFailure('DiskFull')).toBe('broken');
    expect(outcomeOfFailure('HostSilent')).toBe('broken');
    expect(outcomeOfFailure('ObjectMissing')).toBe('failed');
  });
});

describe('drills that are overdue or went wrong', () => {
  const system = systemFrom('shop', [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components: { files: { kind: files, path: /srv/files } }',
    'plans: { daily: { components: [files], stores: [nas] } }',
    'drills:',
    '  weekly: { schedule: 0 22 * * FRI }',
    '  by-need: {}',
  ]);
  const made = (days: number, more: object = {}) => ({
    ...full,
    finishedAt: new Date(NOW - days * DAY).toISOString(),
    ...more,
  });

  test('made in time: nothing; a week and a day late: said, with the command [M9]', () => {
    expect(judgeDrills(system, [made(3)], undefined, NOW)).toEqual([]);
    expect(judgeDrills(system, [made(7.9)], undefined, NOW)).toEqual([]);
    const [late, ...others] = judgeDrills(system, [made(8.5)], undefined, NOW);
    expect(others).toEqual([]);
    expect(late).toMatchObject({ check: 'drill', subject: 'weekly', severity: 'warning' });
    expect(late?.hint).toContain('holdfast drill shop --kind weekly');
  });

  test('never made: overdue only once there was time for one; of a system that nobody can date, unknown', () => {
    expect(judgeDrills(system, [], NOW - 3 * DAY, NOW)).toEqual([]);
    expect(judgeDrills(system, [], undefined, NOW)).toEqual([]);
    expect(judgeDrills(system, [], NOW - 9 * DAY, NOW)[0]?.what).toContain('was never made');
  });

  test('failed: critical, until one passes; not finished or too slow: a warning [T12]', () => {
    const bad = { checks: [{ component: 'files', name: 'files', ok: false, detail: '3 instead of 4' }] };
    const failed = judgeDrills(system, [made(1, { outcome: 'failed', ...bad }), made(8)], undefined, NOW);
    expect(failed).toMatchObject([{ severity: 'critical', what: 'drill weekly failed: files: files: 3 instead of 4' }]);
    expect(judgeDrills(system, [made(0), made(1, { outcome: 'failed', ...bad })], undefined, NOW)).toEqual([]);
    expect(judgeDrills(system, [made(1, { outcome: 'broken' })], undefined, NOW)).toMatchObject([
      { severity: 'warning' },
    ]);
    const slow = judgeDrills(system, [made(1, { rtoSeconds: 99, rtoObjectiveSeconds: 60 })], undefined, NOW);
    expect(slow[0]?.what).toBe('drill weekly passed, but: RTO: it took 99 s of 60 s');
  });

  test('as samples: by kind, of the newest; one that was never made has never succeeded', () => {
    const samples = drillSamples(system, [made(1, { outcome: 'failed' }), made(8)]);
    const valueOf = (name: string, kind: string) =>
      samples.find((one) => one.name === name && one.labels['kind'] === kind) as { value?: number } | undefined;
    expect(valueOf('holdfast_drill_last_success_timestamp_seconds', 'weekly')?.value).toBe((NOW - 8 * DAY) / 1000);
    expect(valueOf('holdfast_drill_passed', 'weekly')?.value).toBe(0);
    expect(valueOf('holdfast_drill_last_success_timestamp_seconds', 'by-need')?.value).toBe(0);
    expect(valueOf('holdfast_drill_passed', 'by-need')).toBeUndefined();
  });
});

const full: DrillReport = {
  ...{ system: 'shop', kind: 'weekly', drillId: 'd', by: 'schedule', outcome: 'passed', rtoSeconds: 10 },
  ...{ startedAt: new Date(NOW - DAY).toISOString(), finishedAt: new Date(NOW - DAY).toISOString() },
  ...{ sources: [], components: [], checks: [], phases: [], losses: [], warnings: [] },
};

const around = {
  containerName: (live: string) => `holdfast-drill-12345678-${live}`,
  volumes: { data: 'data.drill-1' },
  paths: { '/srv/app/config': '/scratch/config', '/srv/app/compose.yaml': '/scratch/stack/compose.yaml' },
  volumeName: (live: string) => `${live}.drill-1`,
  networkName: (live: string) => `drill-${live}`,
};

function container(hostConfig: object, more: Partial<RecordedContainer> = {}): RecordedContainer {
  return {
    name: 'live-web-1',
    service: 'web',
    image: 'web:1',
    config: {
      Cmd: ['serve'],
      Env: ['A=b'],
      Hostname: '0123456789ab',
      Labels: { 'com.docker.compose.project': 'live' },
    },
    hostConfig: { NetworkMode: 'live_default', ...hostConfig },
    networks: { live_default: { Aliases: ['web'] } },
    ...more,
  };
}

describe('a container in isolation', () => {
  test('an ordinary one: other name, networks, volumes and files; no ports, no restarts, no labels of Compose', () => {
    const { containers, refused, isolated } = isolate(
      [
        container({
          Binds: ['data:/data', '/srv/app/config:/etc/app:ro', '/etc/localtime:/etc/localtime:ro', 'cache:/cache'],
          PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
          RestartPolicy: { Name: 'always' },
          CapAdd: ['CAP_IPC_LOCK', 'SYS_ADMIN'],
          LogConfig: { Type: 'syslog', Config: { 'syslog-address': 'udp://logs:514' } },
          ExtraHosts: ['host.docker.internal:host-gateway'],
          Memory: 1000,
        }),
      ],
      around,
    );
    expect(refused).toEqual([]);
    const [made] = containers;
    expect(made?.name).toBe('holdfast-drill-12345678-live-web-1');
    expect(made?.config).toEqual({ Cmd: ['serve'], Env: ['A=b'] });
    expect(made?.mounts.map(({ source }) => source)).toEqual([
      'data.drill-1',
      '/scratch/config',
      '/etc/localtime',
      'cache.drill-1',
    ]);
    expect(made?.networks).toEqual({ 'drill-live_default': ['web', 'live-web-1'] });
    expect(made?.ports).toEqual([{ hostPort: 8080, port: 80 }]);
    expect(made?.hostConfig).toMatchObject({ Memory: 1000, CapAdd: ['IPC_LOCK'], RestartPolicy: { Name: 'no' } });
    expect(Object.keys(made?.hostConfig ?? {})).not.toContain('PortBindings');
    expect(JSON.stringify(made)).not.toMatch(/syslog|host-gateway|compose\.project|SYS_ADMIN/);
    expect(isolated.join('; ')).toContain('volume cache is not in the backup and begins empty');
  });

  test('volumes without a name and tmpfs: empty ones of its own, as live', () => {
    const { containers, refused, isolated } = isolate(
      [
        container({
          Mounts: [
            { Type: 'volume', Target: '/app/node_modules' },
            { Type: 'tmpfs', Target: '/run' },
          ],
        }),
      ],
      around,
    );
    expect(refused).toEqual([]);
    expect(containers[0]?.mounts).toEqual([
      { type: 'volume', source: '', target: '/app/node_modules', readOnly: false },
      { type: 'tmpfs', source: '', target: '/run', readOnly: false },
    ]);
    expect(isolated.join()).not.toContain('volume');
  });

  test.each([
    ['privileged', { Privileged: true }],
    ['the network of the host', { NetworkMode: 'host' }],
    ['the network of another container', { NetworkMode: 'container:abc' }],
    ['processes with host', { PidMode: 'host' }],
    ['shared memory with container:x', { IpcMode: 'container:x' }],
    ['users with host', { UsernsMode: 'host' }],
    ['devices of the host', { Devices: [{ PathOnHost: '/dev/sda' }] }],
    ['devices of the host', { DeviceRequests: [{ Driver: 'nvidia' }] }],
    ['volumes from another container', { VolumesFrom: ['live-db-1'] }],
    ["the engine's socket", { Binds: ['/var/run/docker.sock:/var/run/docker.sock:ro'] }],
    ['/etc of the host', { Binds: ['/etc:/host:ro'] }],
    ['/etc/shadow of the host', { Binds: ['/srv/app/config/../../../etc/shadow:/shadow'] }],
    ['/srv/app of the host', { Binds: ['/srv/app:/app'] }],
    ['/etc/localtime of the host', { Binds: ['/etc/localtime:/etc/localtime'] }],
    ['/srv/other of the host', { Mounts: [{ Type: 'bind', Source: '/srv/other', Target: '/x' }] }],
    ['a way that is not known', { Mounts: [{ Type: 'npipe', Source: 'x', Target: '/x' }] }],
  ])('%s: refused, with the service and the reason', (why, hostConfig) => {
    const { refused } = isolate([container(hostConfig)], around);
    expect(refused).toHaveLength(1);
    const words = why.split(' ').at(-1) ?? '';
    expect(refused[0]).toMatch(/^web /);
    expect(refused[0]?.replaceAll('takes its volumes', 'volumes')).toContain(words);
  });

  test('no containers in the backup: nothing to start, and why', () => {
    expect(isolate([], around).refused).toEqual(['the backup holds no containers of the project']);
  });
});
