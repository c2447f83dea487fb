/** What Route 53 answers for the record sets of a zone, by weights, roles and health. */
import type { Rrset } from './name-server.ts';

export interface FakeRecord {
  readonly name: string;
  readonly type: string;
  readonly setIdentifier?: string;
  readonly ttl?: number;
  readonly values?: readonly string[];
  readonly alias?: { readonly zone: string; readonly name: string; readonly evaluate: boolean };
  readonly weight?: number;
  readonly failover?: 'PRIMARY' | 'SECONDARY';
  readonly healthCheckId?: string;
  readonly region?: string;
}

const ALIAS_TTL_SECONDS = 60;

export interface Around {
  isHealthy(healthCheckId: string): boolean;
  /** What names outside the zone, such as those of load balancers, are answered with. */
  readonly outside: ReadonlyMap<string, readonly string[]>;
}

/** One answer for each name and type. */
export function evaluate(records: readonly FakeRecord[], around: Around): Rrset[] {
  const groups = Map.groupBy(records, ({ name, type }) => `${name} ${type}`);
  return [...groups.values()].flatMap((group) => {
    const chosen = choose(group, around);
    const values = chosen === undefined ? [] : valuesOf(chosen, records, around);
    if (chosen === undefined || values.length === 0) return [];
    const { name, type, ttl } = chosen;
    return [{ name: name.replaceAll('\\052', '*'), type, ttlSeconds: ttl ?? ALIAS_TTL_SECONDS, values }];
  });
}

function choose(group: readonly FakeRecord[], around: Around): FakeRecord | undefined {
  const healthy = group.filter(({ healthCheckId }) => healthCheckId === undefined || around.isHealthy(healthCheckId));
  if (group.some(({ failover }) => failover !== undefined)) {
    const primary = group.find(({ failover }) => failover === 'PRIMARY');
    const secondary = group.find(({ failover }) => failover === 'SECONDARY');
    // When nothing is healthy, it answers as if all were.
    return [primary, secondary].find((one) => one !== undefined && healthy.includes(one)) ?? primary ?? secondary;
  }
  // By chance in the proportion of the weights there; here always the heaviest, so that a test has one answer.
  const weighted = (healthy.length > 0 ? healthy : group).toSorted((a, b) => (b.weight ?? 0) - (a.weight ?? 0));
  return weighted[0];
}

function valuesOf(record: FakeRecord, all: readonly FakeRecord[], around: Around): readonly string[] {
  if (record.alias === undefined) return record.values ?? [];
  const target = record.alias.name;
  const inside = all.filter(({ name, type }) => name === target && type === record.type);
  const chosen = choose(inside, around);
  return chosen === undefined ? (around.outside.get(target) ?? []) : valuesOf(chosen, all, around);
}
