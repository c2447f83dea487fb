/** The systemd unit that keeps a guard running, and stops the stack when it is gone. */
import { writeFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { isAbsent } from '../policy/unit-state.ts';
import { unitManager, type UnitManager } from '../systemd/manager.ts';
import { holdfastHome } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { failoverOf } from './authority.ts';

export interface UnitOf {
  readonly system: System;
  readonly host: string;
  /** The command that runs Holdfast, absolute. */
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
}

export function guardUnitName(system: string): string {
  return `holdfast-site-${system}.service`;
}

/**
 * `ExecStopPost` runs after any end, a crash among them, and before the restart (systemd.service(5)): it stops the stack, unless
 * the guard crashed with enough of its lease left for the next one.
 */
export function guardUnitText({ system, host, program, environment }: UnitOf): string {
  const { leaseSeconds, stopSeconds } = failoverOf(system);
  const watchdogSeconds = Math.max(5, Math.floor(leaseSeconds / 4));
  const kept = ['DOCKER_HOST', 'PATH', 'XDG_CACHE_HOME', 'HOLDFAST_CACHE'] as const;
  const variables = [
    ['HOLDFAST_HOME', holdfastHome(environment)],
    ['HOLDFAST_HOST', host],
    ...kept.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  ];
  const command = (what: string): string => `${quoted(program)} site ${quoted(system.name)} --guard ${what}`;
  return [
    '# Starts and stops the stack of a system by its lease. docs/sites.md',
    '[Unit]',
    `Description=Holdfast: the site guard of ${system.name}`,
    'After=network-online.target docker.service',
    'Wants=network-online.target',
    '# It is started again for ever: the lease does not wait.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=notify',
    'NotifyAccess=all',
    `ExecStart=${command('run')}`,
    `ExecStopPost=${command('after')}`,
    ...variables.map(([name = '', value = '']) => `Environment=${quoted(`${name}=${value}`)}`),
    '# The variables that system files name as secrets. Mode 0600.',
    'EnvironmentFile=-/etc/holdfast/holdfast.env',
    'Restart=always',
    'RestartSec=1',
    `TimeoutStartSec=${watchdogSeconds}`,
    `WatchdogSec=${watchdogSeconds}`,
    `TimeoutStopSec=${stopSeconds * 2 + 30}`,
    'UMask=0077',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

/** Beside the guard's own: what a machine does before it sleeps. */
export function sleepUnitName(system: string): string {
  return `holdfast-site-${system}-sleep.service`;
}

/**
 * A machine that sleeps can't stop its stack in time: the guard is ended before, which stops it, and begun again after. The
 * suspending waits for sleep.target, and that for this; it is no more needed, and so is stopped, when the machine is awake
 * (systemd.special(7), systemd-suspend.service(8)). A guard that somebody has ended is not begun by it.
 */
export function sleepUnitText({ system }: Pick<UnitOf, 'system'>): string {
  const guard = guardUnitName(system.name);
  return [
    '# Stops the stack of a system before the machine sleeps. docs/sites.md',
    '[Unit]',
    `Description=Holdfast: no stack of ${system.name} while the machine sleeps`,
    'Before=sleep.target',
    'StopWhenUnneeded=yes',
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    `ExecCondition=systemctl is-active --quiet ${quoted(guard)}`,
    `ExecStart=systemctl stop ${quoted(guard)}`,
    `ExecStop=systemctl start --no-block ${quoted(guard)}`,
    `TimeoutStartSec=${failoverOf(system).stopSeconds * 2 + 30}`,
    '',
    '[Install]',
    'WantedBy=sleep.target',
    '',
  ].join('\n');
}

/** systemd.service(5): in double quotes, `%` and `$` doubled. */
function quoted(text: string): string {
  const escaped = text.replaceAll(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@./:=-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** Puts it in place, enabled, and starts it; a repeat brings it up to date. Returns its file. Throws PermissionDenied, SystemdUnreachable. */
export async function installGuardUnit(of: UnitOf, signal: AbortSignal): Promise<string> {
  const manager = unitManager({ scope: 'system' });
  const file = await fileOf(manager, of.system.name, signal);
  // Nothing lies there where nobody would read it.
  await manager.look([guardUnitName(of.system.name)], signal);
  const sleepFile = path.join(path.dirname(file), sleepUnitName(of.system.name));
  try {
    await writeFile(file, guardUnitText(of), { mode: 0o644 });
    await writeFile(sleepFile, sleepUnitText(of), { mode: 0o644 });
  } catch (cause) {
    throw new HoldfastError('PermissionDenied', `${file} could not be written`, { cause, hint: 'Do this as root.' });
  }
  await manager.reload(signal);
  await manager.enable([guardUnitName(of.system.name), sleepUnitName(of.system.name)], signal);
  await manager.start([guardUnitName(of.system.name)], signal);
  return file;
}

/** Ends the guard, which stops the stack, and takes its unit away. */
export async function removeGuardUnit(system: string, signal: AbortSignal): Promise<void> {
  const manager = unitManager({ scope: 'system' });
  const [seen] = await manager.look([guardUnitName(system)], signal);
  if (seen?.load === 'not-found') return;
  const sleeping = await manager.look([sleepUnitName(system)], signal);
  const there = [guardUnitName(system), ...sleeping.filter((unit) => !isAbsent(unit)).map(({ name }) => name)];
  await manager.disable(there, signal);
  await manager.stop([guardUnitName(system)], signal);
  const file = await fileOf(manager, system, signal);
  for (const one of [file, path.join(path.dirname(file), sleepUnitName(system))]) await rm(one, { force: true });
  await manager.reload(signal);
}

async function fileOf(manager: UnitManager, system: string, signal: AbortSignal): Promise<string> {
  return path.join(await manager.directory(signal), guardUnitName(system));
}
