/** The unit of a site guard under a real systemd, which restarts it, and stops the stack when it is gone. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { waitForGuard } from '../../src/sites/holds.ts';
import { holdfast } from '../cli/holdfast.ts';
import { noSystemdBecause, systemdMachine, type SystemdMachine } from '../support/systemd-machine.ts';
import { eventually } from '../workflows/stage.ts';

const CLI = path.resolve(import.meta.dirname, '../../src/cli.ts');
const SYSTEM = 'guarded';
const GUARD = `holdfast-site-${SYSTEM}.service`;

// test/activities/units.test.ts fails where CI can't start one.
describe.skipIf(noSystemdBecause() !== undefined)('a site guard under systemd', () => {
  let machine: SystemdMachine;
  let directory: string;

  beforeAll(async () => {
    machine = await systemdMachine();
    directory = await mkdtemp(path.join(tmpdir(), 'holdfast-guard-unit-'));
    vi.stubEnv('HOLDFAST_HOME', home());
    await writeFile(
      path.join(machine.systemUnits, 'app.service'),
      '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n',
    );
    // As systemd's own; what suspends says what of the stack runs.
    const sleeps = ['[Unit]', 'DefaultDependencies=no', 'StopWhenUnneeded=yes', ''];
    await writeFile(path.join(machine.systemUnits, 'sleep.target'), sleeps.join('\n'));
    const suspend = [
      ...[
        '[Unit]',
        'DefaultDependencies=no',
        'Requires=sleep.target',
        'After=sleep.target',
        '[Service]',
        'Type=oneshot',
      ],
      `ExecStart=/bin/sh -c 'systemctl is-active app.service > /run/asleep || true'`,
    ];
    await writeFile(path.join(machine.systemUnits, 'suspend.service'), `${suspend.join('\n')}\n`);
    await machine.run('systemctl', 'daemon-reload');
    await machine.run('systemctl', 'enable', 'app.service');
    const file = path.join(directory, 'system.yaml');
    await writeFile(
      file,
      [
        `system: ${SYSTEM}`,
        'site: frankfurt',
        'hosts: [alpha]',
        `stores: { witness: { kind: directory, path: ${path.join(directory, 'store')} } }`,
        'components: { app: { kind: systemd, units: [app.service] } }',
        'plans: { daily: { components: [app], stores: [witness] } }',
        'failover:',
        '  sites: [frankfurt, ohio]',
        '  authority: witness',
        '  lease: 10m',
        '  stop: 60s',
        '  assess: { from: { page: { http: { url: "http://127.0.0.1:9/" } } } }',
        '',
      ].join('\n'),
    );
    const made = await holdfast(home(), ['init', file, '--kit', path.join(directory, 'kit.txt')]);
    expect([made.code, made.stderr]).toEqual([0, made.stderr]);
    expect((await holdfast(home(), ['site', SYSTEM, '--activate'])).code).toBe(0);
  });

  afterAll(async () => {
    await machine[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
  });

  const home = (): string => path.join(directory, 'home');
  const guard = (what: string): Promise<string> =>
    machine.run('env', `HOLDFAST_HOME=${home()}`, process.execPath, CLI, 'site', SYSTEM, '--guard', what);
  const property = async (unit: string, name: string): Promise<string> =>
    (await machine.run('systemctl', 'show', `--property=${name}`, '--value', unit)).trim();
  const appIs = (state: string): Promise<true> =>
    eventually(
      `app.service is ${state}`,
      async () => (await property('app.service', 'ActiveState')) === state || undefined,
    );

  it('killed or restarted: it comes back, and nothing stops; ended: nobody else starts a unit; removed: as it was', async () => {
    expect(await guard('install')).toContain('app.service is started by the guard alone');
    await waitForGuard(SYSTEM, new AbortController().signal);
    await appIs('active');

    const [app, first] = [await property('app.service', 'MainPID'), await property(GUARD, 'MainPID')];
    await machine.run('kill', '-KILL', first);
    await eventually('systemd has started it again', async () => {
      const again = await property(GUARD, 'MainPID');
      return (again !== first && again !== '0' && (await property(GUARD, 'ActiveState')) === 'active') || undefined;
    });
    expect(await property('app.service', 'MainPID')).toBe(app);

    await guard('restart');
    expect(await property('app.service', 'MainPID')).toBe(app);

    // As a boot does it, which has no mark of a guard's: systemd leaves it down, and says why.
    await machine.run('systemctl', 'stop', GUARD);
    await appIs('inactive');
    await machine.run('systemctl', 'start', 'app.service');
    expect([await property('app.service', 'ActiveState'), await property('app.service', 'ConditionResult')]).toEqual([
      'inactive',
      'no',
    ]);
    await machine.run('systemctl', 'start', GUARD);
    await appIs('active');

    await machine.run('systemctl', 'start', 'suspend.service');
    const stopped = (await machine.run('cat', '/run/asleep')).trim();
    expect(stopped).toBe('inactive');
    await appIs('active');

    expect(await guard('remove')).toContain('app.service is started as its own files say');
    await appIs('inactive');
    await machine.run('systemctl', 'start', 'app.service');
    await appIs('active');
    expect((await readdir(machine.systemUnits)).filter((name) => /^holdfast-site|\.d$/.test(name))).toEqual([]);
  });
});
