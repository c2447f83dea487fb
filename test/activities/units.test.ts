import { appendFile, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  BackupResult,
  MonitorResult,
  RestartResult,
  RestorePlan,
  RestoreResult,
} from '../../src/workflows/contract.ts';
import { unitsToStart } from '../../src/activities/units.ts';
import { noSystemdBecause, systemdMachine, type SystemdMachine } from '../support/systemd-machine.ts';
import { waitingFor } from '../workflows/play.ts';
import { HOST, makeSite, type Site } from './site.ts';

/** Ready when it says so; what it was started with is in a file. */
const service = (name: string, further: readonly string[], started: string): string =>
  [
    '[Unit]',
    ...further,
    '[Service]',
    'Type=notify',
    'NotifyAccess=all',
    'Environment=WORD=plain',
    `ExecStart=/bin/sh -c 'echo "${name} $WORD" | tee -a ${started}; systemd-notify --ready; exec sleep infinity'`,
    '[Install]',
    'WantedBy=multi-user.target default.target',
    '',
  ].join('\n');

const noSystemd = noSystemdBecause();

test.runIf(noSystemd !== undefined)(
  'no systemd can be started here: what needs one says why it is left out, and CI fails, because nobody reads there what was skipped',
  (context) => {
    if (process.env['CI'] !== undefined) throw new Error(`units can't be tested: ${String(noSystemd)}`);
    context.skip(noSystemd);
  },
);

test('a takeover starts units that were down at the standby: what the backup saw up; a restore by itself leaves them down', () => {
  const entry = { scope: 'system', ran: false, starts: false, absent: false, stops: true } as const;
  const entries = ['app.service', 'spare.service'].map((name) => ({ ...entry, name }));
  const [brought, order] = [new Set(['system//app.service']), { entries, restoreId: 'r', asBefore: false }];
  expect(unitsToStart({ ...order, takeover: true }, brought).map(({ name }) => name)).toEqual(['app.service']);
  expect(unitsToStart(order, brought)).toEqual([]);
});

describe.skipIf(noSystemd !== undefined)('units of a system under a real systemd', () => {
  let machine: SystemdMachine;
  let site: Site;
  let started: string;

  beforeAll(async () => {
    machine = await systemdMachine();
    site = await makeSite(
      (data) =>
        [
          'components:',
          '  service:',
          '    kind: systemd',
          '    tier: critical',
          '    units: [app.service, db.service, tidy.timer, spare.service]',
          `    health: { app.service: { command: [test, -e, ${data('settings')}] } }`,
          '  rootless:',
          '    kind: systemd',
          '    scope: user',
          '    units: [web.service]',
          '  settings:',
          '    kind: files',
          `    path: ${data('settings')}`,
          'plans:',
          '  daily:',
          '    components: [service, rootless, settings]',
          '    stores: [disk]',
        ].join('\n'),
      [HOST],
      machine,
    );
    started = site.data('started');
    await mkdir(site.data('settings'));
    await writeFile(site.data('settings/one'), 'good');
    await install();
    await site.startWorkers();
  });

  afterAll(async () => {
    // First: its worker goes with it, and writes nothing into a directory that is being removed.
    await machine[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
  });

  async function install(): Promise<void> {
    const { systemUnits, userUnits } = machine;
    const write = (name: string, text: string): Promise<void> => writeFile(path.join(systemUnits, name), text);
    await write('db.service', service('db', [], started).replace('[Install]', '[Install]\nAlias=data.service'));
    await write('app.service', service('app', ['After=db.service', 'Requires=db.service'], started));
    await mkdir(path.join(systemUnits, 'app.service.d'));
    await write('app.service.d/word.conf', '[Service]\nEnvironment=WORD=changed\n');
    await write('tidy.timer', '[Timer]\nOnCalendar=yearly\n[Install]\nWantedBy=timers.target\n');
    await write('tidy.service', '[Service]\nType=oneshot\nExecStart=/bin/true\n');
    await write('spare.service', service('spare', [], started));
    await writeFile(path.join(userUnits, 'web.service'), service('web', [], started));
    await machine.run('systemctl', 'daemon-reload');
    await machine.run('systemctl', 'enable', '--now', 'db.service', 'app.service', 'tidy.timer');
    await machine.run('systemctl', '--user', 'daemon-reload');
    await machine.run('systemctl', '--user', 'enable', '--now', 'web.service');
  }

  const state = async (...unit: string[]): Promise<string> => {
    const scope = unit[0] === 'web.service' ? ['--user'] : [];
    const shown = ['ActiveState', 'UnitFileState'].map((name) => `--property=${name}`);
    const text = await machine.run('systemctl', ...scope, 'show', ...shown, '--value', '--', ...unit);
    return text
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .join(' ');
  };

  async function planned(input: object) {
    const handle = await site.start('restore', input);
    await waitingFor(handle, 'approval');
    const plan = await handle.query<RestorePlan>('plan');
    const approve = (): Promise<unknown> =>
      handle.executeUpdate('approve', { args: [{ digest: plan.digest, by: 'ann' }] });
    return { handle, plan, approve };
  }

  test('[G3] [G5] units, drop-ins and enablement are lost: stopped by the plan, put back, read again, started in order', async () => {
    const backup = await site.run<BackupResult>('backup', { plan: 'daily' });
    expect(backup).toMatchObject({ outcome: 'done' });
    await machine.run('systemctl', 'stop', 'app.service', 'tidy.timer');
    await machine.run('systemctl', '--user', 'disable', '--now', 'web.service');
    const lost = ['app.service', 'app.service.d', 'multi-user.target.wants', 'data.service', 'tidy.timer'];
    for (const name of lost) await rm(path.join(machine.systemUnits, name), { recursive: true });
    await appendFile(path.join(machine.systemUnits, 'db.service'), '[Service]\nEnvironment=WORD=spoiled\n');
    await machine.run('systemctl', 'daemon-reload');
    await rm(path.join(machine.userUnits, 'web.service'));
    await machine.run('systemctl', '--user', 'daemon-reload');
    await writeFile(started, '');

    const { handle, plan, approve } = await planned({});
    const stack = ['app.service', 'db.service', 'tidy.timer', 'spare.service', 'web.service'];
    const [stop] = plan.actions.filter(({ action }) => action === 'stop');
    expect(stop?.on.toSorted()).toEqual(stack.toSorted());
    expect(plan.actions.at(-1)).toMatchObject({ action: 'start', on: stop?.on });
    expect(plan.warnings).toContainEqual('service: app.service has no unit file');
    expect(await state('db.service')).toBe('active enabled');
    await approve();
    expect(await handle.result()).toMatchObject({ outcome: 'restored' });

    expect(await state('db.service', 'app.service', 'tidy.timer', 'spare.service')).toBe(
      'active enabled active enabled active enabled inactive disabled',
    );
    expect(await state('web.service')).toBe('active enabled');
    const words = (await readFile(started, 'utf8')).trim().split('\n');
    expect(words.toSorted()).toEqual(['app changed', 'db plain', 'web plain']);
    expect(words.indexOf('db plain')).toBeLessThan(words.indexOf('app changed'));
    expect(await readlink(path.join(machine.systemUnits, 'data.service'))).toBe('/etc/systemd/system/db.service');
    expect(await readlink(path.join(machine.userUnits, 'default.target.wants/web.service'))).toContain('web.service');
  });

  test('what is restored does not come up, a person rejects it: the units are as they were, and run', async () => {
    const file = path.join(machine.systemUnits, 'db.service');
    const good = await readFile(file, 'utf8');
    await writeFile(file, good.replace('exec sleep infinity', 'exit 7').replace('systemd-notify --ready;', ''));
    await machine.run('systemctl', 'daemon-reload');
    const { backup } = await site.run<BackupResult>('backup', { plan: 'daily' });
    await writeFile(file, good);
    await machine.run('systemctl', 'daemon-reload');

    const { handle, plan, approve } = await planned({ backup, components: 'service' });
    await approve();
    await waitingFor(handle, 'a decision: keep or roll back');
    expect(await state('app.service')).toBe('inactive enabled');
    await handle.executeUpdate('reject', { args: [{ digest: plan.digest, by: 'ann', why: 'no' }] });
    const result = (await handle.result()) as RestoreResult;
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    expect(JSON.stringify(result)).toContain('db.service is failed (');
    expect(await readFile(file, 'utf8')).toBe(good);
    expect(await state('db.service', 'app.service', 'tidy.timer')).toBe('active enabled active enabled active enabled');
  });

  test('[M6] a unit has fallen: monitor finds it, restart shows its log and starts it again', async () => {
    await machine.run('systemctl', 'kill', '--kill-who=all', '--signal=KILL', 'app.service');
    const failed = async (): Promise<boolean> => (await state('app.service')) === 'failed enabled';
    await expect.poll(failed, { timeout: 30_000 }).toBe(true);
    const { findings } = await site.run<MonitorResult>('monitor', {});
    expect(findings.find(({ check }) => check === 'service')).toMatchObject({
      subject: 'app.service',
      severity: 'critical',
      what: expect.stringContaining('service app.service: has failed (signal, 9)') as string,
      hint: expect.stringContaining('holdfast restart') as string,
    });
    const result = await site.run<RestartResult>('restart', {});
    expect(result).toMatchObject({
      outcome: 'restarted',
      containers: [{ name: 'app.service', ok: true, now: 'healthy' }],
      left: [],
    });
    expect(await readFile(result.containers[0]?.log ?? '', 'utf8')).toContain('app changed');
    expect(await state('app.service')).toBe('active enabled');
    expect(await site.run<RestartResult>('restart', { service: 'web' })).toMatchObject({
      outcome: 'restarted',
      containers: [{ name: 'web.service', what: 'was named', ok: true }],
    });
  });
});
