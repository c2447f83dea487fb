/** What a planned change of sites asks of a host, joined to what surrounds an activity. */
import type { HandoverActivities } from '../handover-types.ts';
import type { HostContext } from '../host-context.ts';
import { activity } from '../shell.ts';
import { answerHandover, askHandover, awaitHandover, letBack, lookHandover, raiseOwn } from './book.ts';
import { endHandover, runningHere, startAfterHandover, stopForHandover } from './stack.ts';

export function createHandoverActivities(context: HostContext): HandoverActivities {
  return {
    lookHandover: activity('lookHandover', (input) => lookHandover(context, input)),
    awaitHandover: activity('awaitHandover', (input, run) => awaitHandover(context, input, run)),
    answerHandover: activity('answerHandover', (input) => answerHandover(context, input)),
    stopForHandover: activity('stopForHandover', (input, run) => stopForHandover(context, input, run)),
    runningHere: activity('runningHere', (input, run) => runningHere(context, input, run)),
    raiseOwn: activity('raiseOwn', (input) => raiseOwn(context, input)),
    // What was stopped has to run again.
    startAfterHandover: activity('startAfterHandover', (input, run) => startAfterHandover(context, input, run), {
      insistent: true,
    }),
    endHandover: activity('endHandover', (input, run) => endHandover(context, input, run)),
    askHandover: activity('askHandover', (input) => askHandover(context, input)),
    letBack: activity('letBack', (input) => letBack(context, input)),
  };
}
