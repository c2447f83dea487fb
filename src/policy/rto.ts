/** How long a system took to come back, against what was promised. Pure. */
import type { Objectives, Tier } from '../system/types.ts';

export interface JudgedObjective {
  /** `system`, `tier critical`, `component database`. */
  readonly of: string;
  readonly objectiveSeconds: number;
  readonly met: boolean;
}

/**
 * Each objective that is about something restored. A system opens as a whole, so that all of it was away for equally long;
 * `seconds` counts from the start of the restore until the checks held.
 */
export function judgeRto(
  seconds: number,
  objectives: Objectives,
  components: readonly { readonly name: string; readonly tier: Tier }[],
): JudgedObjective[] {
  const judged = (of: string, objectiveSeconds: number): JudgedObjective => ({
    of,
    objectiveSeconds,
    met: seconds <= objectiveSeconds,
  });
  const tiers = Object.entries(objectives.tiers).filter(([tier]) => components.some((one) => one.tier === tier));
  const single = Object.entries(objectives.components).filter(([name]) => components.some((one) => one.name === name));
  return [
    ...(objectives.rtoSeconds === undefined ? [] : [judged('system', objectives.rtoSeconds)]),
    ...tiers.map(([tier, limit]) => judged(`tier ${tier}`, limit)),
    ...single.map(([name, limit]) => judged(`component ${name}`, limit)),
  ];
}
