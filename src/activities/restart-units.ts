/** Units of a system that are down: found with the end of their logs, started again in order, waited for. */
import { isUp, judgeUnit, startLevels, type UnitSeen } from '../policy/unit-state.ts';
import { ifAnswers, unitManager } from '../systemd/manager.ts';
import type { StartPermit } from '../sites/start-permit.ts';
import type { System, SystemdComponent } from '../system/types.ts';
import type { RestartFound, RestartTarget } from '../workflows/restart-contract.ts';
import type { HostContext } from './host-context.ts';
import type { ContainerNow } from './restart-types.ts';
import type { Run } from './shell.ts';
import { logOf, untilUnitUp } from './unit-health.ts';
import { systemdComponentsOn } from './units.ts';

/** Keeps the words of a log in a file that only the worker's account reads, and says which. */
export type KeepLog = (name: string, words: () => Promise<string>) => Promise<string>;

interface Asked {
  /** A unit, with or without `.service`. */
  readonly service?: string;
  readonly logLines: number;
}

/** Nothing is touched. Where no systemd answers there is nothing to start; `monitor` tells that. */
export async function findBrokenUnits(
  system: System,
  host: string,
  { service, logLines }: Asked,
  keepLog: KeepLog,
  run: Run,
): Promise<Omit<RestartFound, 'host'>> {
  const targets: RestartTarget[] = [];
  const left: { name: string; why: string }[] = [];
  for (const component of systemdComponentsOn(system, host)) {
    const manager = unitManager(component);
    const seen = (await ifAnswers(manager.look(component.units, run.signal))) ?? [];
    const levels = startLevels(seen);
    const last = Math.max(0, ...levels.values());
    for (const unit of seen) {
      const isNamed =
        service !== undefined && unit.names.some((name) => [name, name.replace(/\.service$/, '')].includes(service));
      if (service !== undefined && !isNamed) continue;
      const decided = decide(unit, isNamed);
      if (decided === undefined) continue;
      if ('why' in decided) {
        left.push({ name: unit.name, why: decided.why });
        continue;
      }
      targets.push({
        id: unit.name,
        name: unit.name,
        component: component.name,
        ...decided,
        startedAt: unit.invocation,
        stop: isUp(unit),
        level: last - (levels.get(unit.name) ?? 0),
        stopSeconds: 0,
        log: await keepLog(unit.name, () => logOf(manager, unit.name, run.signal, logLines)),
      });
    }
  }
  return { targets, left };
}

type Decided = { readonly why: string } | Pick<RestartTarget, 'what' | 'since'>;

/** Undefined: it is fine, and nobody has named it. */
function decide(unit: UnitSeen, isNamed: boolean): Decided | undefined {
  const verdict = judgeUnit(unit, Date.now());
  if (verdict.kind === 'broken') {
    const { what, since, doubt } = verdict;
    if (doubt !== undefined && !isNamed) return { why: `${what}; ${doubt}` };
    return { what, ...(since === undefined ? {} : { since }) };
  }
  if (unit.load === 'masked') return { why: 'is masked: systemctl unmask' };
  if (!isNamed) return undefined;
  return { what: verdict.kind === 'left' ? verdict.why : 'was named' };
}

interface Starting {
  readonly addToLog: (target: RestartTarget, words: string) => Promise<void>;
  readonly permit: StartPermit;
}

/** What an earlier attempt of this step, or somebody else, has started meanwhile is not stopped once more. */
export async function restartUnits(
  context: HostContext,
  system: System,
  targets: readonly RestartTarget[],
  starting: Starting,
  run: Run,
): Promise<ContainerNow[]> {
  const ends: ContainerNow[] = [];
  for (const component of systemdComponentsOn(system, context.host)) {
    const own = targets.filter((target) => target.component === component.name);
    for (const level of [...new Set(own.map((target) => target.level))].toSorted((a, b) => b - a)) {
      const now = own.filter((target) => target.level === level);
      run.report({ phase: `start ${now.map(({ name }) => name).join(', ')}` });
      ends.push(...(await restartLevel({ context, system, component }, now, starting, run)));
    }
  }
  return ends;
}

async function restartLevel(
  asked: { readonly context: HostContext; readonly system: System; readonly component: SystemdComponent },
  targets: readonly RestartTarget[],
  { addToLog, permit }: Starting,
  run: Run,
): Promise<ContainerNow[]> {
  const manager = unitManager(asked.component);
  const names = targets.map(({ name }) => name);
  const seen = await manager.look(names, run.signal);
  const isOld = (target: RestartTarget): boolean =>
    seen.find(({ name }) => name === target.name)?.invocation === target.startedAt;
  const stopping = targets.filter((target) => target.stop && isOld(target)).map(({ name }) => name);
  await manager.stop(stopping, run.signal);
  await permit();
  await manager.start(names, run.signal);
  return Promise.all(
    targets.map(async (target) => {
      const { ok, now, log } = await untilUnitUp({ ...asked, manager }, target.name, run.signal);
      if (!ok) await addToLog(target, log);
      return { name: target.name, ok, now };
    }),
  );
}
