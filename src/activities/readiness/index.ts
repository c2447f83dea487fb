/** What a site is asked about taking a system over, joined to what surrounds an activity. */
import type { HostContext } from '../host-context.ts';
import type { ReadinessActivities } from '../readiness-types.ts';
import { activity } from '../shell.ts';
import { gatherReadiness } from './gather.ts';
import { lookReadiness } from './look.ts';

export function createReadinessActivities(context: HostContext): ReadinessActivities {
  return {
    lookReadiness: activity('lookReadiness', (input, run) => lookReadiness(context, input, run)),
    gatherReadiness: activity('gatherReadiness', (input, run) => gatherReadiness(context, input, run)),
  };
}
