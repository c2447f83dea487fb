/**
 * Under a lease the guard alone starts the stack, its units too: a file of the guard's, `<unit>.d/holdfast-site-<system>.conf`,
 * makes each of them ask for a mark in /run, which lies there while the lease is held. No boot, timer, socket or `Restart=` starts
 * them without it: /run is empty after a boot, and systemd looks right before each start (systemd.unit(5), Conditions). A unit
 * that is up is not touched by it, so that a guard that crashes stops nothing.
 */
import { chown, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { isAbsent } from '../policy/unit-state.ts';
import { callerOf } from '../systemd/account.ts';
import { ifAnswers, unitManager } from '../systemd/manager.ts';
import { GUARD_DROP_IN } from '../systemd/unit-files.ts';
import type { System, SystemdComponent } from '../system/types.ts';
import { guardedUnits } from './stack-units.ts';

interface UnitsOf {
  readonly system: System;
  readonly host: string;
}

/** While it is there systemd may start the units of the system. Gone with each boot. */
export function startMark(system: string): string {
  return path.join('/run/holdfast/sites', system);
}

/** What the guard of one system says by its mark: as soon as it changes, and again when that failed. */
export class StartMark {
  private readonly system: string;
  private said: boolean | undefined;

  constructor(system: string) {
    this.system = system;
  }

  /** Throws as the filesystem does. */
  set(mayStart: boolean): void {
    if (mayStart === this.said) return;
    if (mayStart) allowStarts(this.system);
    else forbidStarts(this.system);
    this.said = mayStart;
  }
}

function allowStarts(system: string): void {
  mkdirSync(path.dirname(startMark(system)), { recursive: true, mode: 0o755 });
  writeFileSync(startMark(system), '', { mode: 0o644 });
}

export function forbidStarts(system: string): void {
  rmSync(startMark(system), { force: true });
}

/** Units of the system on this machine that systemd would start without the lease. */
export async function unguardedUnits({ system, host }: UnitsOf, signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for (const component of guardedUnits(system, host)) {
    const seen = (await ifAnswers(unitManager(component).look(component.units, signal))) ?? [];
    const open = seen.filter(
      (unit) => !isAbsent(unit) && !unit.dropIns.some((file) => path.basename(file) === dropInName(system.name)),
    );
    found.push(...open.map(({ name }) => name));
  }
  return found;
}

/**
 * From now on they ask for the lease, also those that are not there yet. Nothing is started or stopped. Returns those that did
 * not before. Throws PermissionDenied.
 */
export async function guardTheseUnits({ system, host }: UnitsOf, signal: AbortSignal): Promise<string[]> {
  const changed: string[] = [];
  for (const component of guardedUnits(system, host)) {
    const now = await Promise.all(
      (await placesOf(component, signal)).map(async ({ unit, directory }) =>
        (await putDropIn(system.name, component, directory)) ? [unit] : [],
      ),
    );
    if (now.flat().length > 0) await ifAnswers(unitManager(component).reload(signal));
    changed.push(...now.flat());
  }
  return changed;
}

/** They are started as their own files say again. Returns which. */
export async function freeTheseUnits({ system, host }: UnitsOf, signal: AbortSignal): Promise<string[]> {
  const changed: string[] = [];
  for (const component of guardedUnits(system, host)) {
    for (const { unit, directory } of await placesOf(component, signal)) {
      const file = path.join(directory, dropInName(system.name));
      if ((await readFile(file).catch(absent)) === undefined) continue;
      await rm(file);
      // Somebody else's files may lie beside it.
      await rmdir(directory).catch(() => undefined);
      changed.push(unit);
    }
    await ifAnswers(unitManager(component).reload(signal));
  }
  return changed;
}

/** By its own name where it is there: the directory of an alias would be read as well. */
async function placesOf(
  component: SystemdComponent,
  signal: AbortSignal,
): Promise<{ readonly unit: string; readonly directory: string }[]> {
  const manager = unitManager(component);
  const seen = await ifAnswers(manager.look(component.units, signal));
  const own = await manager.directory(signal);
  const names = seen?.map(({ name }) => name) ?? component.units;
  return names.map((unit) => ({ unit, directory: path.join(own, `${unit}.d`) }));
}

/** True when it was not there so. */
async function putDropIn(system: string, component: SystemdComponent, directory: string): Promise<boolean> {
  const file = path.join(directory, dropInName(system));
  const text = [
    '# Its site guard alone starts it, while it holds the lease. docs/sites.md of Holdfast',
    '[Unit]',
    `ConditionPathExists=${startMark(system)}`,
    '',
  ].join('\n');
  if ((await readFile(file, 'utf8').catch(absent)) === text) return false;
  try {
    const first = await mkdir(directory, { recursive: true, mode: 0o755 });
    await writeFile(file, text, { mode: 0o644 });
    const { uid, gid } = await callerOf(component);
    if (uid !== undefined && gid !== undefined) await giveTo({ uid, gid }, first, [directory, file]);
  } catch (cause) {
    throw new HoldfastError('PermissionDenied', `${file} could not be written`, { cause, hint: 'Do this as root.' });
  }
  return true;
}

/** In an account's own places its directories are its own. */
async function giveTo(
  { uid, gid }: { readonly uid: number; readonly gid: number },
  firstMade: string | undefined,
  [directory = '', file = '']: readonly string[],
): Promise<void> {
  await chown(file, uid, gid);
  if (firstMade === undefined) return;
  for (let at = directory; at.startsWith(firstMade); at = path.dirname(at)) await chown(at, uid, gid);
}

function dropInName(system: string): string {
  return GUARD_DROP_IN.replace('*', system);
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}
