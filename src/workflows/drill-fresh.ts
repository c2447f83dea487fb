/** A backup made for a drill: the operation under its usual id, so that one that runs already is not made twice. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowFailure, isCancellation, sleep, startChild } from '@temporalio/workflow';
import { WORKFLOWS, workflowIds, type BackupResult } from './contract.ts';
import { failure, told } from './failure.ts';

const BUSY_WAIT = '1 minute';
const BUSY_TURNS = 6 * 60;

/** One plan after another. Throws what kept one from being made. */
export async function backUpFirst(system: string, plans: readonly string[]): Promise<void> {
  for (const plan of plans) await backUp(system, plan);
}

/** One that was begun before is not fresh: it is waited for, and another one made. */
async function backUp(system: string, plan: string): Promise<void> {
  for (let turn = 0; turn < BUSY_TURNS; turn++) {
    try {
      const child = await startChild<(input: object) => Promise<BackupResult>>(WORKFLOWS.backup, {
        workflowId: workflowIds.backup(system, plan),
        args: [{ system, plan }],
        parentClosePolicy: 'ABANDON',
        staticSummary: `${system}: ${plan}, for a drill`,
      });
      const { outcome, why } = await child.result();
      if (outcome === 'done') return;
      throw failure('SystemBusy', `The fresh backup of plan ${plan} was skipped: ${why ?? 'no reason given'}`);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        await sleep(BUSY_WAIT);
        continue;
      }
      if (isCancellation(error) || !(error instanceof ChildWorkflowFailure)) throw error;
      const { code, message } = told(error);
      throw failure(code, `The fresh backup of plan ${plan} failed: ${message}`);
    }
  }
  throw failure('SystemBusy', `A backup of plan ${plan} has been running for hours.`);
}
