/** One workflow from outside: which steps it takes, when a certain one begins, and what it comes to. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle, WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { ApplicationFailure, isGrpcServiceError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';

const POLL_MS = 25;
const RESULT_LIMIT_MS = 300_000;

export interface Step {
  readonly name: string;
  readonly durationMs: number;
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  /** The type of the failure that ended it, and what it says. */
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The server may be the one that was killed: whatever it can't answer now is asked again. */
async function persistently<T>(what: string, ask: () => Promise<T>): Promise<T> {
  const end = Date.now() + RESULT_LIMIT_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isOver = error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError;
      if (isOver || Date.now() > end) throw error;
      if (!isServerTrouble(error)) throw new Error(`${what}: ${String(error)}`, { cause: error });
      await sleep(200);
    }
  }
}

function isServerTrouble(error: unknown): boolean {
  if (isGrpcServiceError(error)) return true;
  return error instanceof Error && (error.name === 'ServiceError' || isServerTrouble(error.cause));
}

/** Starting twice is starting once: the id says which run it is. */
export async function startStory(
  client: Client,
  type: string,
  id: string,
  input: object,
): Promise<WorkflowHandleWithFirstExecutionRunId> {
  return persistently(`start ${type}`, () =>
    client.workflow.start(type, {
      taskQueue: ORCHESTRATION_QUEUE,
      workflowId: id,
      args: [input],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  );
}

export async function outcomeOf<T>(handle: WorkflowHandle): Promise<Outcome<T>> {
  try {
    const result = persistently('result', () => handle.result()) as Promise<T>;
    return { ok: true, value: await inTime(result, handle.workflowId) };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const code = cause instanceof ApplicationFailure ? (cause.type ?? 'untyped') : (cause?.name ?? 'unknown');
    return { ok: false, code, message: cause?.message ?? error.message };
  }
}

/** A story that never ends is a broken promise too, and must not keep the suite from saying so. */
async function inTime<T>(result: Promise<T>, id: string): Promise<T> {
  const stop = new AbortController();
  const limit = sleep(RESULT_LIMIT_MS, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`${id} did not end in ${RESULT_LIMIT_MS / 1000} s`);
  });
  try {
    return await Promise.race([result, limit]);
  } finally {
    stop.abort();
    limit.catch(() => undefined);
  }
}

interface Scheduled {
  readonly name: string;
  readonly atMs: number;
  doneAtMs: number | undefined;
}

function millisecondsOf(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1000 + (time?.nanos ?? 0) / 1e6;
}

async function scheduledSteps(handle: WorkflowHandle): Promise<Scheduled[]> {
  const { events } = await handle.fetchHistory();
  const steps = new Map<string, Scheduled>();
  for (const event of events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    const completed = event.activityTaskCompletedEventAttributes;
    if (scheduled !== null && scheduled !== undefined) {
      const name = scheduled.activityType?.name ?? 'unknown';
      steps.set(String(event.eventId), { name, atMs: millisecondsOf(event.eventTime), doneAtMs: undefined });
    }
    const done = steps.get(String(completed?.scheduledEventId));
    if (done !== undefined) done.doneAtMs = millisecondsOf(event.eventTime);
  }
  return [...steps.values()];
}

/** The steps of a finished story, with the time that each took. */
export async function stepsOf(handle: WorkflowHandle): Promise<Step[]> {
  const steps = await persistently('history', () => scheduledSteps(handle));
  return steps.map(({ name, atMs, doneAtMs }) => ({ name, durationMs: (doneAtMs ?? atMs) - atMs }));
}

/** Waits until the story has begun its n-th step (from 0). False when it ended before. */
export async function stepBegun(handle: WorkflowHandle, index: number, ended: () => boolean): Promise<boolean> {
  while (!ended()) {
    const steps = await persistently('history', () => scheduledSteps(handle));
    if (steps.length > index) return true;
    await sleep(POLL_MS);
  }
  return false;
}
