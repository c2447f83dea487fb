import { expect, test } from 'vitest';
import { copiesOfPaths } from '../../src/activities/drill/places.ts';
import { isolate, type RecordedContainer } from '../../src/policy/drill-isolation.ts';
import { systemFrom } from '../system/small-system.ts';

const SCRATCH = '/state/drills/d1';

/** Where a container that mounts these finds what, with the wallet of the example m2m-connector restored. */
function mountsOf(binds: readonly string[], components: readonly string[] = []) {
  const system = systemFrom('m2m', [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'plans: { daily: { components: [wallet], stores: [nas] } }',
    'components:',
    '  wallet: { kind: sqlite, path: /opt/m2m/wallet/wallets.db }',
    '  log: { kind: sqlite, path: /opt/m2m/wallet/log.db }',
    '  seed: { kind: files, path: /opt/m2m/wallet/seed.enc }',
    '  config: { kind: files, path: /opt/m2m }',
    ...components,
  ]);
  const sources = binds.map((bind) => bind.split(':')[0] ?? '');
  const place = { stateDirectory: '/state', drillId: 'd1', singles: new Map([['seed', 'seed.enc']]) };
  const recorded: RecordedContainer = {
    ...{ name: 'm2m-agent-1', service: 'agent', image: 'agent:1', config: {}, networks: {} },
    hostConfig: { NetworkMode: 'none', Binds: binds },
  };
  const { containers, isolated, refused } = isolate([recorded], {
    ...copiesOfPaths(system.components, sources, place),
    ...{ volumes: {}, containerName: String, volumeName: String, networkName: String },
  });
  expect(refused).toEqual([]);
  const mounts = containers[0]?.mounts.map(({ source, target, readOnly }) => [target, source, readOnly]);
  return { isolated, mounts };
}

test('a mounted directory with two databases and a file of their own: all three are there, and that nothing else is, is told', () => {
  const { mounts, isolated } = mountsOf(['/opt/m2m/wallet/:/wallet:ro']);
  expect(mounts).toEqual([
    ['/wallet', `${SCRATCH}/.live/opt/m2m/wallet`, true],
    ['/wallet/seed.enc', `${SCRATCH}/seed/seed.enc`, true],
  ]);
  expect(isolated).toContain('agent sees of /opt/m2m/wallet/ only what components restore');
});

test('the directory is a component, its databases others: they lie over their places in it', () => {
  const { mounts, isolated } = mountsOf(
    ['/opt/m2m/wallet:/wallet', '/opt/m2m/wallet/log.db:/wallet/log.db:ro'],
    ['  all: { kind: files, path: /opt/m2m/wallet }'],
  );
  expect(mounts).toEqual([
    ['/wallet', `${SCRATCH}/all`, false],
    ['/wallet/seed.enc', `${SCRATCH}/seed/seed.enc`, false],
    ['/wallet/wallets.db', `${SCRATCH}/.live/opt/m2m/wallet/wallets.db`, false],
    ['/wallet/log.db', `${SCRATCH}/.live/opt/m2m/wallet/log.db`, true],
  ]);
  expect(isolated).toEqual([]);
});

test('a single file that is mounted: the file, and not the directory that its copy lies in', () => {
  expect(mountsOf(['/opt/m2m/wallet/seed.enc:/seed']).mounts).toEqual([['/seed', `${SCRATCH}/seed/seed.enc`, false]]);
});
