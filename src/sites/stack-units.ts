/** The systemd units of a system on one machine, as its guard stops and starts them. */
import { isAbsent, isUp, type UnitSeen } from '../policy/unit-state.ts';
import type { PartSeen } from '../policy/failover/wanted.ts';
import { HoldfastError } from '../failures.ts';
import { managerWords } from '../systemd/account.ts';
import { ifAnswers, unitManager } from '../systemd/manager.ts';
import type { System, SystemdComponent } from '../system/types.ts';
import { bootClockMs } from './boot-clock.ts';
import { killUnitProcesses } from './kill-processes.ts';
import type { StopTimes } from './stop-containers.ts';

/** One manager's units of a system. */
export interface UnitGroup {
  readonly component: SystemdComponent;
  readonly seen: readonly UnitSeen[];
}

/** Those that a restore leaves alone (`keepUp`) are servers that others use, too: they are left alone here. */
export function guardedUnits(system: System, host: string): SystemdComponent[] {
  return system.components.filter(
    (one): one is SystemdComponent => one.kind === 'systemd' && one.host === host && !one.keepUp,
  );
}

/** A manager that does not answer runs nothing. With what would start them: sockets and timers. */
export async function lookAtUnits(components: readonly SystemdComponent[], signal: AbortSignal): Promise<UnitGroup[]> {
  const groups: UnitGroup[] = [];
  for (const component of components) {
    const manager = unitManager(component);
    const own = (await ifAnswers(manager.look(component.units, signal))) ?? [];
    const triggers = [...new Set(own.flatMap((unit) => unit.triggers))].filter(
      (name) => !own.some(({ names }) => names.includes(name)),
    );
    groups.push({ component, seen: [...own, ...(await manager.look(triggers, signal))] });
  }
  return groups;
}

export function unitParts(groups: readonly UnitGroup[]): PartSeen[] {
  return groups.flatMap(({ component: { scope, user = '' }, seen }) =>
    seen
      .filter((unit) => !isAbsent(unit))
      .map((unit) => ({
        name: `unit ${scope}/${user}/${unit.name}`,
        // With a job it is about to be started, as soon as what it waits for is up.
        up: isUp(unit) || unit.active === 'deactivating' || unit.hasJob,
        fresh: false,
        // Never started since the machine came up, it has not ended.
        endedWell: unit.active === 'inactive' && unit.result === 'success' && unit.invocation !== '',
        frozen: false,
      })),
  );
}

/**
 * Resolves when all of one component are down. What systemd has not stopped in time it is told to kill, and where it hangs itself
 * their processes are killed without it: then this throws SystemdRefused.
 */
export async function stopUnits(
  component: SystemdComponent,
  { patientUntilMs, killAtMs }: StopTimes,
  signal: AbortSignal,
): Promise<void> {
  const manager = unitManager(component);
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(Math.max(1, Math.round(killAtMs - bootClockMs())))]);
  let names: readonly string[] = component.units;
  const kill = (): void => void manager.kill(names, inTime).catch(() => undefined);
  const late = setTimeout(kill, Math.max(0, patientUntilMs - bootClockMs()));
  try {
    const groups = await lookAtUnits([component], inTime);
    names = groups.flatMap(({ seen }) => seen.filter((unit) => !isAbsent(unit)).map(({ name }) => name));
    await manager.stop(names, inTime);
  } catch (cause) {
    signal.throwIfAborted();
    const killed = await killUnitProcesses(component, names);
    const told = `${managerWords(component)} has not stopped ${names.join(', ')}; ${killed} processes were killed`;
    throw new HoldfastError('SystemdRefused', told, { cause });
  } finally {
    clearTimeout(late);
  }
}

/** Those of these parts. Returns when systemd has begun. */
export async function startUnits(
  groups: readonly UnitGroup[],
  parts: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  for (const { component, seen } of groups) {
    const { scope, user = '' } = component;
    const names = seen.map(({ name }) => name).filter((name) => parts.has(`unit ${scope}/${user}/${name}`));
    await unitManager(component).start(names, signal);
  }
}
