import { afterEach, describe, expect, test } from 'vitest';
import { systemdKind } from '../../src/sources/kinds/systemd.ts';
import { matcherOf } from '../../src/sources/tree/globs.ts';
import { unitManager } from '../../src/systemd/manager.ts';
import { ownDirectoryIn, parseUnits } from '../../src/systemd/parse.ts';
import { patternsOf } from '../../src/systemd/unit-files.ts';
import type { SystemdComponent } from '../../src/system/types.ts';
import { contextIn, MemorySink } from '../sources/kinds-helpers.ts';

const { PATH } = process.env;
afterEach(() => {
  process.env['PATH'] = PATH;
});

const component: SystemdComponent = {
  name: 'service',
  kind: 'systemd',
  tier: 'critical',
  host: 'h',
  after: [],
  units: ['app.service'],
  scope: 'system',
  keepUp: false,
  health: {},
  healthTimeoutSeconds: 5,
};

test('what systemctl shows: a block for each unit, times in UTC, what is empty is absent', () => {
  const shown = [
    'Id=app.service\nNames=app.service web.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code',
    'Type=notify\nUnitFileState=enabled\nFragmentPath=/etc/systemd/system/app.service\nAfter=db.service basic.target',
    'NRestarts=2\nExecMainStatus=7\nInvocationID=ab\nConditionResult=yes\nConditionTimestamp=Sun 2026-11-22 04:14:00 UTC',
    'InactiveEnterTimestamp=Sun 2026-11-22 04:14:04 UTC\nActiveEnterTimestamp=\nJob=\n\nId=x.timer\nLoadState=not-found\nJob=12\n',
  ].join('\n');
  const [app, timer] = parseUnits(shown);
  expect(app).toMatchObject({ names: ['app.service', 'web.service'], restarts: 2, exitStatus: 7, hasJob: false });
  expect(app).toMatchObject({ downSince: '2026-11-22T04:14:04Z', after: ['db.service', 'basic.target'] });
  expect(app).not.toHaveProperty('upSince');
  expect(timer).toMatchObject({ name: 'x.timer', load: 'not-found', hasJob: true, conditionsMet: true });
});

test('where units of one’s own lie: told by the manager, never what is gone after a boot or a package’s', () => {
  const system = '/etc/systemd/system.control /run/systemd/system /etc/systemd/system /usr/lib/systemd/system';
  expect(ownDirectoryIn(system, 'system')).toBe('/etc/systemd/system');
  const user =
    '/home/a/.config/systemd/user.control /run/user/1/systemd/user /home/a/.config/systemd/user /etc/systemd/user';
  expect(ownDirectoryIn(user, 'user')).toBe('/home/a/.config/systemd/user');
});

test('[G3] which files belong to a unit: its own, drop-ins, what enables it, its template; no neighbour', () => {
  const takes = matcherOf(patternsOf(['app@one.service', 'odd\\x2dname.mount']));
  const own = ['app@one.service', 'app@.service', 'app@.service.d/a.conf', 'multi-user.target.wants/app@one.service'];
  expect([...own, 'x.target.requires/app@one.service', 'odd\\x2dname.mount'].filter((path) => !takes(path))).toEqual(
    [],
  );
  const others = ['app.service', 'app@two.service', 'multi-user.target.wants/app@two.service', 'sub/app@one.service'];
  expect(others.filter(takes)).toEqual([]);
});

describe('a machine without systemd', () => {
  test('is told by a failure of its own: a capture fails, a plan warns, nothing is silent', async () => {
    process.env['PATH'] = '/nowhere';
    const context = contextIn('/nowhere');
    await expect(unitManager(component).look(['app.service'], context.signal)).rejects.toMatchObject({
      code: 'SystemdUnreachable',
    });
    const captured = systemdKind.capture(component, new MemorySink(), context);
    await expect(captured).rejects.toMatchObject({ code: 'SystemdUnreachable' });
    const { exists, problems } = await systemdKind.inspect(component, context);
    expect(exists).toBe(false);
    expect(problems).toEqual([expect.stringContaining('nothing is stopped, reloaded or started')]);
  });
});
