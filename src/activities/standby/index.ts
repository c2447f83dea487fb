/** What a warm standby asks of a host, joined to what surrounds an activity. */
import type { HostContext } from '../host-context.ts';
import { activity } from '../shell.ts';
import type { StandbyActivities } from '../standby-types.ts';
import { lookStandby, preparedHere } from './look.ts';
import { beginPrepare, endPrepare } from './prepare.ts';

export function createStandbyActivities(context: HostContext): StandbyActivities {
  return {
    lookStandby: activity('lookStandby', (input, run) => lookStandby(context, input, run)),
    beginPrepare: activity('beginPrepare', (input, run) => beginPrepare(context, input, run)),
    // What is held has to be let go.
    endPrepare: activity('endPrepare', (input, run) => endPrepare(context, input, run), { insistent: true }),
    preparedThere: activity('preparedThere', async ({ system, parts }, run) =>
      preparedHere(context, await context.system(system), parts, run),
    ),
  };
}
