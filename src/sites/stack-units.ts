/** The systemd units of a system on one machine, as its guard stops and starts them. */
import { isAbsent, isUp, type UnitSeen } from '../policy/unit-state.ts';
import type { PartSeen } from '../policy/failover/wanted.ts';
import { ifAnswers, unitManager } from '../systemd/manager.ts';
import type { System, SystemdComponent } from '../system/types.ts';

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

/** Resolves when all of them are down. What systemd has not stopped when `killAfterMs` is over is killed. */
export async function stopUnits(
  groups: readonly UnitGroup[],
  { killAfterMs, signal }: { readonly killAfterMs: number; readonly signal: AbortSignal },
): Promise<void> {
  await Promise.all(
    groups.map(async ({ component, seen }) => {
      const names = seen.filter((unit) => !isAbsent(unit)).map(({ name }) => name);
      const manager = unitManager(component);
      const late = setTimeout(() => void manager.kill(names, signal).catch(() => undefined), killAfterMs);
      try {
        await manager.stop(names, signal);
      } finally {
        clearTimeout(late);
      }
    }),
  );
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
