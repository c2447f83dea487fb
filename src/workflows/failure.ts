/** Failures inside workflows: one shape at the top, whatever the engine wrapped around it. */
import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { FAILURES, isFailureCode, type FailureCode } from '../failures.ts';

export interface Told {
  readonly code: FailureCode;
  readonly message: string;
  readonly details: unknown;
}

/** An error that ends the workflow with the given code; what people see in the UI and programs in `type`. */
export function failure(code: FailureCode, message: string, details: Record<string, unknown> = {}): ApplicationFailure {
  return ApplicationFailure.create({
    type: code,
    message,
    nonRetryable: true,
    details: [{ hint: FAILURES[code].hint, ...details }],
  });
}

/** The code and the words of whatever was thrown by an activity, a child or this workflow. */
export function told(error: unknown): Told {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof ApplicationFailure && typeof at.type === 'string' && isFailureCode(at.type)) {
      return { code: at.type, message: at.message, details: at.details?.[0] };
    }
    if (at instanceof TimeoutFailure) return { code: 'HostSilent', message: silence(error, at), details: undefined };
  }
  return { code: 'Internal', message: error instanceof Error ? error.message : String(error), details: undefined };
}

function silence(error: unknown, timeout: TimeoutFailure): string {
  const what = error instanceof ActivityFailure ? error.activityType : 'A step';
  return `${what} got no answer from its host (${timeout.timeoutType}).`;
}

/** True when `error` is the engine's word that nobody took the activity from its queue in time. */
export function neverStarted(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof TimeoutFailure &&
    error.cause.timeoutType === 'SCHEDULE_TO_START'
  );
}

/** Runs a workflow's story and lets nothing out but cancellation and failures of the catalogue. */
export async function inOneVoice<T>(story: () => Promise<T>): Promise<T> {
  try {
    return await story();
  } catch (error) {
    if (isCancellation(error)) throw error;
    // Anything else is a defect of the workflow code: the task must be retried after the fix, so it stays as it is.
    if (!(error instanceof ActivityFailure)) throw error;
    const { code, message, details } = told(error);
    const facts = typeof details === 'object' && details !== null ? details : {};
    throw failure(code, message, { ...facts });
  }
}
