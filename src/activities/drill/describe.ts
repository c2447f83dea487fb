/** What a drill is to do: what its kind says in the system file, under what was asked for when it was started. */
import { HoldfastError } from '../../failures.ts';
import { plansCovering } from '../../policy/drill-choice.ts';
import { componentObjectives } from '../../policy/drill-verdict.ts';
import { nearest } from '../../system/problems.ts';
import { loadSystem, type System } from '../../system/index.ts';
import type { DrillConfig } from '../../system/types.ts';
import type { DrillInput } from '../../workflows/drill-contract.ts';
import { listOf } from '../../workflows/lists.ts';
import type { DrillFacts } from '../drill-types.ts';

/** The kind of a drill that no system file names. */
export const BY_HAND = 'by-hand';

const DAY_SECONDS = 86_400;

export async function describeDrill(asked: DrillInput): Promise<DrillFacts> {
  const system = await loadSystem(asked.system);
  const kind = asked.kind ?? BY_HAND;
  const config = configOf(system, kind);
  const wanted = listOf(asked.components);
  const components = wanted.length > 0 ? wanted : config.components;
  const plan = asked.plan ?? config.plan;
  refuseUnknown(system, components, plan);
  const olderThanSeconds =
    asked.olderThanDays === undefined ? config.olderThanSeconds : asked.olderThanDays * DAY_SECONDS;
  const isFresh = (asked.freshBackup ?? config.freshBackup) && asked.backup === undefined;
  if (isFresh && olderThanSeconds !== undefined) {
    throw new HoldfastError('BadInput', 'a fresh backup is not old: ask for one of the two');
  }
  const startStack = asked.startStack ?? config.startStack;
  const [store] = system.stores;
  const objective = config.withinSeconds ?? system.objectives.rtoSeconds;
  return {
    system: system.name,
    kind,
    planner: plannerOf(system, components),
    keeper: store?.maintainedBy ?? plannerOf(system, components),
    components,
    freshPlans: isFresh ? freshPlans(system, plan, components) : [],
    tellBeforeSeconds: asked.kind === undefined ? 0 : config.tellBeforeSeconds,
    ...(asked.backup === undefined ? {} : { backup: asked.backup }),
    ...(plan === undefined ? {} : { plan }),
    // A backup that is named is taken as it is.
    ...(olderThanSeconds === undefined || asked.backup !== undefined ? {} : { olderThanSeconds }),
    ...(startStack === undefined ? {} : { startStack }),
    ...(system.compose === undefined ? {} : { stack: system.compose }),
    ...(objective === undefined ? {} : { rtoObjectiveSeconds: objective }),
    componentObjectives: componentObjectives(system),
  };
}

function configOf(system: System, kind: string): DrillConfig {
  const found = system.drills.find(({ name }) => name === kind);
  if (found !== undefined) return found;
  if (kind === BY_HAND) return { name: kind, components: [], freshBackup: false, tellBeforeSeconds: 0 };
  const known = system.drills.map(({ name }) => name);
  const guess = nearest(kind, known);
  throw new HoldfastError(
    'BadInput',
    known.length === 0
      ? `${system.name} declares no drills, so there is none called ${kind}`
      : `${system.name} has no drill ${kind}; it has ${known.join(', ')}`,
    { hint: guess === undefined ? 'Leave the kind out, or add it to the section `drills`.' : `Did you mean ${guess}?` },
  );
}

function refuseUnknown(system: System, components: readonly string[], plan: string | undefined): void {
  const known = system.components.map(({ name }) => name);
  const unknown = components.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new HoldfastError(
      'BadInput',
      `${system.name} has no component ${unknown.join(', ')}; it has ${known.join(', ')}`,
    );
  }
  if (plan !== undefined && !system.plans.some(({ name }) => name === plan)) {
    const plans = system.plans.map(({ name }) => name).join(', ');
    throw new HoldfastError('BadInput', `${system.name} has no plan ${plan}; it has ${plans}`);
  }
}

function plannerOf(system: System, components: readonly string[]): string {
  const first = system.components.find(({ name }) => components.length === 0 || components.includes(name));
  if (first === undefined) throw new HoldfastError('BadInput', `${system.name} has no components`);
  return first.host;
}

function freshPlans(system: System, plan: string | undefined, components: readonly string[]): string[] {
  if (plan !== undefined) return [plan];
  const wanted = components.length > 0 ? components : system.components.map(({ name }) => name);
  return plansCovering(system.plans, wanted);
}
