/** What a planned change of sites asks of a host, joined to what surrounds an activity. */
import type { HandoverActivities } from '../handover-types.ts';
import type { HostContext } from '../host-context.ts';
import { activity } from '../shell.ts';
import { answerHandover, lookHandover } from './book.ts';

export function createHandoverActivities(context: HostContext): HandoverActivities {
  return {
    lookHandover: activity('lookHandover', (input) => lookHandover(context, input)),
    answerHandover: activity('answerHandover', (input) => answerHandover(context, input)),
  };
}
