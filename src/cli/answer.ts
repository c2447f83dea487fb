/** A person's word to a running operation: the update, and where no worker takes it the signal of the same shape. */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import { SIGNALS, UPDATES, type Acknowledgement, type Approval, type Rejection } from '../workflows/contract.ts';
import type { Shell } from './shell.ts';

const ANSWER_LIMIT_MS = 15_000;

/** `taken`: judged and accepted. `kept`: durable in the engine, judged when a worker is there. */
export type AnswerState = 'taken' | 'kept';

/** Throws what the operation refused the approval with: PlanChanged, ApprovalExpired, BadInput. */
export function sendApproval(handle: WorkflowHandle, approval: Approval, shell: Shell): Promise<AnswerState> {
  // Of its own for each: the same plan may be asked about twice, and the engine answers a known id from its memory.
  return send(handle, 'approve', approval, `approve-${randomUUID()}`, shell);
}

export function sendRejection(handle: WorkflowHandle, rejection: Rejection, shell: Shell): Promise<AnswerState> {
  return send(handle, 'reject', rejection, `reject-${randomUUID()}`, shell);
}

/** Each is taken, also a second one: it holds from then on. */
export function sendAcknowledgement(
  handle: WorkflowHandle,
  acknowledgement: Acknowledgement,
  shell: Shell,
): Promise<AnswerState> {
  return send(handle, 'acknowledge', acknowledgement, `acknowledge-${randomUUID()}`, shell);
}

async function send(
  handle: WorkflowHandle,
  kind: 'approve' | 'reject' | 'acknowledge',
  message: Approval | Rejection | Acknowledgement,
  updateId: string,
  shell: Shell,
): Promise<AnswerState> {
  const input = JSON.stringify(message);
  shell.detail(
    `$ temporal workflow update execute --workflow-id ${handle.workflowId} --name ${UPDATES[kind]} --input '${input}'`,
  );
  try {
    await handle.client.withDeadline(Date.now() + ANSWER_LIMIT_MS, () =>
      handle.executeUpdate(UPDATES[kind], { args: [message], updateId: updateId.slice(0, 200) }),
    );
    return 'taken';
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error.name === 'WorkflowNotFoundError') throw nothingWaits(handle.workflowId, error);
    if (error.name !== 'WorkflowUpdateRPCTimeoutOrCancelledError') throw error;
  }
  // No worker took the update in time; a signal is durable at once.
  await handle.signal(SIGNALS[kind], message);
  shell.say('no worker answered; the answer is kept in the engine and judged when one is there');
  return 'kept';
}

function nothingWaits(workflowId: string, cause: Error): HoldfastError {
  return new HoldfastError('BadInput', `nothing waits for an answer: there is no running operation ${workflowId}`, {
    cause,
    hint: 'See what waits with `holdfast status`.',
  });
}
