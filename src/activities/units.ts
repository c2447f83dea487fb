/**
 * systemd units around a restore: those of the system on this host, with what goes down with them and what would start them
 * meanwhile. They go down before containers and come up after them, each when what it comes after is healthy.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { HoldfastError } from '../failures.ts';
import { isAbsent, isUp, neverCameUp, startLevels, type UnitSeen } from '../policy/unit-state.ts';
import { unitsBrought } from '../sources/kinds/systemd.ts';
import { managerWords, type ManagerOf } from '../systemd/account.ts';
import { ifAnswers, unitManager, type UnitManager } from '../systemd/manager.ts';
import { UNIT_SCOPES } from '../system/systemd-schema.ts';
import { startPermit } from '../sites/start-permit.ts';
import type { System, SystemdComponent } from '../system/types.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import { untilUnitUp } from './unit-health.ts';

export const unitEntrySchema = z.object({
  scope: z.enum(UNIT_SCOPES),
  user: z.string().optional(),
  name: z.string(),
  /** It was up when the restore came. */
  ran: z.boolean(),
  /** It is to be up after the restore, whatever that brings. */
  starts: z.boolean(),
  /** It had no file: whether it is to be up is what the backup says. */
  absent: z.boolean(),
  /** To be stopped. */
  stops: z.boolean(),
});

/** One unit, as it was found before a restore. */
export type UnitEntry = z.output<typeof unitEntrySchema>;

/** What systemd starts and stops as a whole is no service of its own. */
const GROUPS = /\.(?:target|slice|scope)$/;

export function systemdComponentsOn(system: System, host: string): SystemdComponent[] {
  return system.components.filter((one): one is SystemdComponent => one.kind === 'systemd' && one.host === host);
}

/**
 * By manager, in the order of the components; a manager that does not answer runs nothing. `all`: what is enabled is to be up,
 * though it is down here.
 */
export async function surveyUnits(
  system: System,
  host: string,
  signal: AbortSignal,
  { all = false }: { readonly all?: boolean } = {},
): Promise<UnitEntry[]> {
  const entries = new Map<string, UnitEntry>();
  for (const component of systemdComponentsOn(system, host)) {
    const manager = unitManager(component);
    for (const unit of (await ifAnswers(withOthers(manager, component.units, signal))) ?? []) {
      const entry = entryOf(component, unit, all);
      const key = keyOf(entry);
      const known = entries.get(key);
      // One that a component wants left alone may go down with another.
      entries.set(key, known === undefined ? entry : { ...entry, stops: known.stops || entry.stops });
    }
  }
  return [...entries.values()];
}

/** With the units that go down with them and the ones that would start them meanwhile, also by way of others. */
async function withOthers(manager: UnitManager, units: readonly string[], signal: AbortSignal): Promise<UnitSeen[]> {
  const found = await manager.look(units, signal);
  for (;;) {
    const known = new Set(found.flatMap(({ names }) => names));
    const more = found.flatMap(({ dependants, triggers }) => [...dependants, ...triggers]);
    const fresh = [...new Set(more)].filter((name) => !known.has(name) && !GROUPS.test(name));
    if (fresh.length === 0) return found;
    found.push(...(await manager.look(fresh, signal)));
  }
}

function entryOf({ scope, user, keepUp, units }: SystemdComponent, unit: UnitSeen, all: boolean): UnitEntry {
  const isOwn = unit.names.some((name) => units.includes(name));
  const ran = isUp(unit);
  const fell = isOwn && (unit.active === 'failed' || neverCameUp(unit));
  return {
    scope,
    ...(user === undefined ? {} : { user }),
    name: unit.name,
    ran,
    starts: ran || fell || (all && isOwn && !keepUp && unit.enablement.startsWith('enabled')),
    absent: isAbsent(unit),
    stops: !keepUp,
  };
}

function keyOf({ scope, user = '', name }: UnitEntry): string {
  return `${scope}/${user}/${name}`;
}

/** What an earlier attempt has seen before it stopped anything counts more than what is seen now. */
export function joined(known: readonly UnitEntry[], seen: readonly UnitEntry[]): UnitEntry[] {
  const before = new Set(known.map(keyOf));
  return [...known, ...seen.filter((entry) => !before.has(keyOf(entry)))];
}

/** Names for a plan: no states, so that its digest stays as it is while units come and go. */
export async function unitNames(system: System, host: string, signal: AbortSignal): Promise<string[]> {
  const entries = await surveyUnits(system, host, signal);
  return entries.filter(({ stops }) => stops).map(({ name }) => name);
}

/** All of a manager at once: systemd knows the order. Throws BadInput for the unit that this worker runs in. */
export async function stopTheseUnits(entries: readonly UnitEntry[], run: Run): Promise<void> {
  const stopping = entries.filter(({ stops, ran }) => stops && ran);
  await mustNotHoldThis(stopping);
  for (const [of, names] of byManager(stopping)) {
    run.report({ phase: `stop: ${names.join(', ')}` });
    await unitManager(of).stop(names, run.signal);
  }
}

async function mustNotHoldThis(entries: readonly UnitEntry[]): Promise<void> {
  const cgroup = await readFile('/proc/self/cgroup', 'utf8');
  const own = entries.find(({ name }) => cgroup.split(/[/\n]/).includes(name));
  if (own === undefined) return;
  throw new HoldfastError('BadInput', `this worker runs in ${own.name}, which a restore would stop`, {
    hint: 'Take it out of the units of the system file.',
  });
}

function byManager(entries: readonly UnitEntry[]): (readonly [ManagerOf, string[]])[] {
  const groups = Map.groupBy(entries, ({ scope, user = '' }) => `${scope}/${user}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { scope, user } = first;
    return [[{ scope, ...(user === undefined ? {} : { user }) }, group.map(({ name }) => name)] as const];
  });
}

/** `brought`: keys of what the backup saw up. Pure. */
export function unitsToStart({ entries, asBefore, takeover }: StartOrder, brought: ReadonlySet<string>): UnitEntry[] {
  const down = entries.filter(({ stops, ran }) => stops || !ran);
  if (asBefore) return down.filter(({ ran }) => ran);
  return down.filter((entry) => entry.starts || ((entry.absent || takeover === true) && brought.has(keyOf(entry))));
}

export interface StartOrder {
  readonly entries: readonly UnitEntry[];
  readonly restoreId: string;
  readonly asBefore: boolean;
  /** They were down here because another site was active. */
  readonly takeover?: boolean;
}

/**
 * What was up, what had failed or never come up, and of what a restore has brought to a machine without it what was up when
 * it was captured; at a takeover of that also what is there; with `asBefore` only what was up. Throws Unhealthy with the end of the log. Returns the names.
 */
export async function startTheseUnits(
  context: HostContext,
  system: System,
  { entries, restoreId, asBefore, takeover = false }: StartOrder,
  run: Run,
): Promise<string[]> {
  const brought = asBefore ? new Set<string>() : await broughtUp(context, system, restoreId);
  const starting = unitsToStart({ entries, restoreId, asBefore, takeover }, brought);
  for (const [of, names] of byManager(starting)) {
    const components = systemdComponentsOn(system, context.host).filter((one) => isOf(one, of));
    await startByLevels({ context, system, components, manager: unitManager(of) }, names, run);
  }
  return starting.map(({ name }) => name);
}

function isOf(component: SystemdComponent, of: ManagerOf): boolean {
  return component.scope === of.scope && component.user === of.user;
}

/** Keys of what the backup saw up. */
async function broughtUp(context: HostContext, system: System, restoreId: string): Promise<Set<string>> {
  const stateDirectory = context.stateDirectory(system.name);
  const keys = new Set<string>();
  for (const component of systemdComponentsOn(system, context.host)) {
    const units = (await unitsBrought(component, restoreId, { stateDirectory })) ?? [];
    const { scope, user } = component;
    for (const { names } of units.filter(({ active }) => active === 'active')) {
      for (const name of names) keys.add(`${scope}/${user ?? ''}/${name}`);
    }
  }
  return keys;
}

interface Starting {
  readonly context: HostContext;
  readonly system: System;
  readonly components: readonly SystemdComponent[];
  readonly manager: UnitManager;
}

async function startByLevels(starting: Starting, names: readonly string[], run: Run): Promise<void> {
  const { manager, components } = starting;
  const seen = await manager.look(names, run.signal);
  const gone = seen.filter(isAbsent).map(({ name }) => name);
  if (gone.length > 0) {
    throw new HoldfastError('Unhealthy', `${managerWords(manager.of)} has no unit file of ${gone.join(', ')}`, {
      hint: 'The unit of a package comes with its package: install it, then start the unit.',
    });
  }
  const levels = startLevels(seen);
  const permit = startPermit(starting.system, run.signal);
  for (const level of [...new Set(levels.values())].toSorted((a, b) => a - b)) {
    const now = seen.filter(({ name }) => levels.get(name) === level).map(({ name }) => name);
    run.report({ phase: `start: ${now.join(', ')}` });
    await permit();
    await manager.start(now, run.signal);
    const ends = await Promise.all(
      now.map(async (name) => {
        const component = components.find(({ units }) => units.includes(name));
        return untilUnitUp({ ...starting, ...(component === undefined ? {} : { component }) }, name, run.signal);
      }),
    );
    const bad = ends.find(({ ok }) => !ok);
    if (bad !== undefined) throw new HoldfastError('Unhealthy', `${bad.name} is ${bad.now}: ${bad.log}`);
  }
}
