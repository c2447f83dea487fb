/** Words of a restore's plan, the same wherever a person reads it before approving. Pure. */
import type { FrozenFacts, PlanAction } from '../workflows/contract.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';

export const ACTION_WORDS: Readonly<Record<PlanAction['action'], string>> = {
  stop: 'stop',
  restore: 'restore beside',
  swap: 'REPLACE',
  start: 'start',
  create: 'create',
};

/** How much, how long and what it costs, as far as it is known. */
export function frozenText(frozen: FrozenFacts): string {
  const { objects, bytes, storageClass, speed, hoursLeast, hoursMost, cost } = frozen;
  const what = `${formatCount(objects, 'object')} of ${formatBytes(bytes)} in ${storageClass} are thawed first, ${speed}`;
  const time =
    hoursLeast === undefined || hoursMost === undefined
      ? 'the class has no such speed, the next slower one is taken'
      : `${formatSeconds(hoursLeast * 3600)} to ${formatSeconds(hoursMost * 3600)}`;
  return `${what}: ${time}; costs ${cost ?? 'not known: no fitting row in a table of prices'}`;
}
