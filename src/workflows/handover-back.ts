/** A rehearsal: the site that has handed a system over takes it back by itself after a while. */
import { patched, sleep, startChild } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { HandoverTold } from '../activities/handover-types.ts';
import { assessSite } from '../policy/failover/assess.ts';
import { workflowIds, WORKFLOWS } from './contract.ts';
import { urgentlyOn } from './proxies.ts';
import type { Story } from './story.ts';

interface HandedOver {
  readonly system: string;
  readonly n: number;
  readonly request: HandoverTold['request'];
  readonly host: string;
  readonly story: Story;
}

/** A restore of many terabytes takes days; the pauses grow, so that the looks of all of them fit into one history. */
const RUNS_WITHIN_MS = 7 * 24 * 3600_000;
const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 15 * 60_000;

/** Nothing where the request does not ask for it. The failover goes on by itself, by what was approved with the request. */
export async function askBack(handed: HandedOver): Promise<void> {
  const { system, n, request, story } = handed;
  const { backAfterSeconds } = request ?? {};
  if (backAfterSeconds === undefined) return;
  story.begin('take it back');
  // Before that it would be refused: nobody could be asked to stop.
  if (patched('back-once-it-runs')) await untilItRuns(handed);
  await sleep(backAfterSeconds * 1000, { summary: 'the rehearsal runs at the other site' });
  try {
    await startChild(WORKFLOWS.failover, {
      workflowId: workflowIds.failover(system),
      args: [{ system, planned: true, backOf: n }],
      parentClosePolicy: 'ABANDON',
      staticSummary: `${system}: back from its rehearsal`,
    });
  } catch (error) {
    // A person was first.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Until the other site answers; one that never does is told by the way back, which then is refused. */
async function untilItRuns({ system, host }: HandedOver): Promise<void> {
  const endMs = Date.now() + RUNS_WITHIN_MS;
  for (let pauseMs = FIRST_PAUSE_MS; Date.now() < endMs; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const there = urgentlyOn(host, { summary: 'does it run at the other site?' });
    const reports = await there.assessSite({ system, looks: 1, overMs: 0 });
    if (assessSite(reports, { quorum: 1, looks: 1, overMs: 0 }).state === 'up') return;
    await sleep(pauseMs, { summary: 'it is restored at the other site' });
  }
}
