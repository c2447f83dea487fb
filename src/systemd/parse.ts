/** What `systemctl show` prints, read. Pure. */
import type { UnitSeen } from '../policy/unit-state.ts';

/** The properties that a unit is judged by; those that its kind lacks are left out by systemd. */
export const PROPERTIES = [
  'Id',
  'Names',
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'Type',
  'UnitFileState',
  'FragmentPath',
  'DropInPaths',
  'After',
  'RequiredBy',
  'BoundBy',
  'ConsistsOf',
  'TriggeredBy',
  'NRestarts',
  'ExecMainStatus',
  'InvocationID',
  'Job',
  'ConditionResult',
  'ConditionTimestamp',
  'ActiveEnterTimestamp',
  'InactiveEnterTimestamp',
] as const;

/** Blocks of `Name=value` lines, one for each unit that was asked for, in that order. */
export function parseUnits(text: string): UnitSeen[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => block.trim())
    .filter((block) => block !== '')
    .map(parseUnit);
}

function parseUnit(block: string): UnitSeen {
  const values = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  );
  const text = (name: (typeof PROPERTIES)[number]): string => values.get(name) ?? '';
  const list = (name: (typeof PROPERTIES)[number]): string[] =>
    text(name)
      .split(' ')
      .filter((word) => word !== '');
  const name = text('Id');
  const upSince = timeOf(text('ActiveEnterTimestamp'));
  const downSince = timeOf(text('InactiveEnterTimestamp'));
  return {
    name,
    names: [...new Set([name, ...list('Names')])],
    load: text('LoadState'),
    active: text('ActiveState'),
    sub: text('SubState'),
    result: text('Result'),
    type: text('Type'),
    enablement: text('UnitFileState'),
    file: text('FragmentPath'),
    dropIns: list('DropInPaths'),
    after: list('After'),
    dependants: [...list('RequiredBy'), ...list('BoundBy'), ...list('ConsistsOf')],
    triggers: list('TriggeredBy'),
    restarts: Number(text('NRestarts')),
    exitStatus: Number(text('ExecMainStatus')),
    invocation: text('InvocationID'),
    hasJob: !['', '0'].includes(text('Job')),
    // Never asked is not refused.
    conditionsMet: text('ConditionResult') === 'yes' || text('ConditionTimestamp') === '',
    ...(upSince === undefined ? {} : { upSince }),
    ...(downSince === undefined ? {} : { downSince }),
  };
}

/** `Sun 2026-11-22 04:14:04 UTC`, as systemd prints it where the zone is UTC. */
function timeOf(text: string): string | undefined {
  const [, day, time] = /^\w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC$/.exec(text) ?? [];
  return day === undefined || time === undefined ? undefined : `${day}T${time}Z`;
}

/** `UnitPath`: where the manager looks for units; the one in which an administrator's own lie. */
export function ownDirectoryIn(unitPath: string, scope: 'system' | 'user'): string | undefined {
  const places = unitPath.split(' ').filter((place) => !place.startsWith('/run/'));
  return scope === 'system'
    ? places.find((place) => place === '/etc/systemd/system')
    : places.find((place) => place.endsWith('/systemd/user') && !/^\/(?:etc|usr|lib)\//.test(place));
}
