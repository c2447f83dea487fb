/**
 * What happens is handed to the audit log: by a workflow of its own for each event, which writes for as long as it takes.
 * Nothing here waits for a store, so that one that is down holds up no restore.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { CancellationScope, ParentClosePolicy, patched, startChild, uuid4, workflowInfo } from '@temporalio/workflow';
import { audit } from './audit.ts';
import { workflowIds, type AuditInput } from './contract.ts';

const AUDITED = 'audited';
const MOST_TEXT = 1000;

/** Runs that began before there was a log go on without. */
export function isAudited(): boolean {
  return patched(AUDITED);
}

export type Happened = Omit<AuditInput, 'id' | 'at' | 'workflowId' | 'runId'>;

/** Returns when the engine has the event for sure. Not cancelled: it has happened. */
export async function handToAudit(happened: Happened): Promise<void> {
  const { workflowId, runId } = workflowInfo();
  const { about, why } = happened;
  const input: AuditInput = {
    ...happened,
    ...(about === undefined ? {} : { about: about.slice(0, MOST_TEXT) }),
    ...(why === undefined ? {} : { why: why.slice(0, MOST_TEXT) }),
    id: uuid4(),
    at: new Date().toISOString(),
    workflowId,
    runId,
  };
  const start = () =>
    startChild(audit, {
      workflowId: workflowIds.audit(happened.system, input.id),
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `${happened.system}: ${happened.operation} ${happened.what}`,
    });
  try {
    await CancellationScope.nonCancellable(start);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
