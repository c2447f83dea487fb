/** In which order components are restored, and in which groups they are captured. Pure. */
import type { CaptureGroup } from '../activities/types.ts';
import { HoldfastError } from '../failures.ts';
import { SERVICE_KINDS } from './services.ts';
import type { Component, Plan, Quiesce, System, Tier } from '../system/types.ts';

const TIER_RANK: Readonly<Record<Tier, number>> = { critical: 0, important: 1, reference: 2 };

/**
 * A restore's order: what a component is `after` comes first; among those that are free, the more critical tier, then
 * the order given. A Compose project, and units, come after all that nothing makes wait for them, so that what they start
 * finds its data. Names in `after` that are not restored now are passed over. Throws BadInput for a circle.
 */
export function restoreOrder<C extends Pick<Component, 'name' | 'kind' | 'tier' | 'after'>>(
  components: readonly C[],
): C[] {
  const left = [...components];
  const placed = new Set<string>();
  const waitsFor = (component: C): boolean =>
    component.after.some((name) => !placed.has(name) && left.some((other) => other.name === name));
  const rank = (component: C): number => (SERVICE_KINDS.includes(component.kind) ? 3 : 0) + TIER_RANK[component.tier];
  const order: C[] = [];
  while (left.length > 0) {
    const free = left.filter((component) => !waitsFor(component));
    if (free.length === 0) {
      const names = left.map(({ name }) => name).join(', ');
      throw new HoldfastError('BadInput', `the order of these components goes in a circle: ${names}`);
    }
    const next = free.reduce((best, candidate) => (rank(candidate) < rank(best) ? candidate : best));
    left.splice(left.indexOf(next), 1);
    placed.add(next.name);
    order.push(next);
  }
  return order;
}

/** Smaller is captured earlier: the tier, then ledgers, since a database written later still names only its entries. */
function captureRank(component: Component): number {
  return TIER_RANK[component.tier] * 10 + kindRank(component);
}

function kindRank(component: Component): number {
  switch (component.kind) {
    case 'volume':
      return component.check?.kind === 'ledger' || component.check?.kind === 'tigerbeetle' ? 0 : 1;
    case 'postgres':
    case 'sqlite':
      return 2;
    case 'files':
    case 'systemd':
      return 3;
    case 'compose':
      return 4;
  }
}

const NO_QUIESCE: Quiesce = { mode: 'none', budgetSeconds: 0 };

function quiesceOf(component: Component): Quiesce {
  if (component.kind !== 'volume' || component.quiesce.mode === 'none') return NO_QUIESCE;
  return component.quiesce;
}

/**
 * How a plan is captured. With a quiesce of its own the plan is one group on each host, inside one freeze; otherwise
 * components of one host with the same quiesce share a group. Groups and components are ordered critical first, the
 * ledger before the database. Every component of the plan is in exactly one group. Throws BadInput for unknown names.
 */
export function captureGroups(system: Pick<System, 'components'>, plan: Plan): CaptureGroup[] {
  const chosen = plan.components.map((name) => {
    const component = system.components.find((candidate) => candidate.name === name);
    if (component === undefined) throw new HoldfastError('BadInput', `plan ${plan.name} names no component ${name}`);
    return component;
  });
  const groups = new Map<string, { host: string; quiesce: Quiesce; members: Component[] }>();
  for (const component of chosen.toSorted((a, b) => captureRank(a) - captureRank(b))) {
    const quiesce = plan.quiesce ?? quiesceOf(component);
    const key = `${component.host}\n${quiesce.mode}\n${quiesce.budgetSeconds}`;
    const group = groups.get(key) ?? { host: component.host, quiesce, members: [] };
    group.members.push(component);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ host, quiesce, members }) => ({
    host,
    components: members.map(({ name }) => name),
    quiesce: { mode: quiesce.mode, budgetSeconds: quiesce.budgetSeconds },
  }));
}
