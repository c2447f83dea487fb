/**
 * What a schedule starts: the operation under its usual id, so that the engine lets only one of that name run, whether a
 * clock or a person has asked for it. Its own id has the time at the end, as the engine gives it to every scheduled run.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ApplicationFailure,
  ChildWorkflowFailure,
  isCancellation,
  startChild,
  type ChildWorkflowHandle,
  type Workflow,
} from '@temporalio/workflow';
import type { ScheduledInput, ScheduledResult } from './contract.ts';
import { failure, told } from './failure.ts';
import { Story } from './story.ts';

/**
 * `skipped` when the operation runs already, or says so itself; else what it has come to. Fails as the operation fails. A
 * cancel is passed on to it; when this run is terminated, the operation goes on.
 */
export async function scheduled(input: ScheduledInput): Promise<ScheduledResult> {
  const { schedule, operation, workflowId, ...asked } = check(input);
  const story = new Story('scheduled', [operation]);
  story.about(asked.system);
  story.begin(operation);
  try {
    const child = await startChild(operation, {
      workflowId,
      args: [asked],
      parentClosePolicy: 'ABANDON',
      staticSummary: `${asked.system}: ${schedule}, by its schedule`,
    });
    const result = await endOf(child);
    story.finish();
    return { ...outcomeOf(result), workflowId, runId: child.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    story.finish();
    return { outcome: 'skipped', why: `${workflowId} runs already`, workflowId };
  }
}

const RESERVED = ['schedule', 'operation', 'workflowId', 'system'] as const;

function check(input: unknown): ScheduledInput {
  const given = typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : {};
  const missing = RESERVED.filter((name) => typeof given[name] !== 'string' || given[name] === '');
  if (missing.length > 0) throw failure('BadInput', `scheduled needs ${missing.join(', ')} as texts.`);
  return given as ScheduledInput;
}

async function endOf(child: ChildWorkflowHandle<Workflow>): Promise<unknown> {
  try {
    return await child.result();
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ChildWorkflowFailure)) throw error;
    // A child that was terminated has no failure of its own.
    if (!(error.cause instanceof ApplicationFailure))
      throw failure('Internal', `${child.workflowId}: ${error.message}`);
    const { code, message, details } = told(error);
    throw failure(code, message, typeof details === 'object' && details !== null ? { ...details } : {});
  }
}

/** What an operation's result says of itself in one word. */
function outcomeOf(result: unknown): Pick<ScheduledResult, 'outcome' | 'why' | 'ok'> {
  const { outcome, why, ok } = (result ?? {}) as { outcome?: unknown; why?: unknown; ok?: unknown };
  return {
    outcome: typeof outcome === 'string' ? outcome : 'done',
    ...(typeof why === 'string' ? { why } : {}),
    ...(typeof ok === 'boolean' ? { ok } : {}),
  };
}
