/** All that the proof strikes with. */
import type { Fault } from './fault.ts';
import { OF_PEOPLE } from './faults-people.ts';
import { OF_THE_ACTIVE_SITE } from './faults-sites.ts';
import { OF_THE_TAKEOVER } from './faults-takeover.ts';
import { PLANNED } from './planned.ts';
import { PLANNED_AND_STRUCK } from './planned-struck.ts';

export const FAULTS: readonly Fault[] = [
  ...OF_THE_ACTIVE_SITE,
  ...OF_THE_TAKEOVER,
  ...OF_PEOPLE,
  ...PLANNED,
  ...PLANNED_AND_STRUCK,
];

/**
 * The pieces of work of a failover and its restore, in their order: each is handed out in every failover that is not ended
 * before.
 */
export const STEPS: readonly string[] = [
  'assessSite',
  'gatherFailover',
  'planRestore',
  'planDns',
  'holdSite',
  'raiseSite',
  'awaitFence',
  'clearSite',
  'preparedThere',
  'restoreBeside',
  'checkBeside',
  'stopForRestore',
  'swapIn',
  'startAfterRestore',
  'checkLive',
  'commitRestore',
  'releaseSite',
  'swapDns',
  'awaitDns',
  'checkAnswers',
];
