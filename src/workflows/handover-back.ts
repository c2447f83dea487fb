/** A rehearsal: the site that has handed a system over takes it back by itself after a while. */
import { sleep, startChild } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { HandoverTold } from '../activities/handover-types.ts';
import { workflowIds, WORKFLOWS } from './contract.ts';
import type { Story } from './story.ts';

interface HandedOver {
  readonly system: string;
  readonly n: number;
  readonly request: HandoverTold['request'];
  readonly story: Story;
}

/** Nothing where the request does not ask for it. The failover goes on by itself, by what was approved with the request. */
export async function askBack({ system, n, request, story }: HandedOver): Promise<void> {
  const { backAfterSeconds } = request ?? {};
  if (backAfterSeconds === undefined) return;
  story.begin('take it back');
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
