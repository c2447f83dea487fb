/** What the main thread and a worker thread of a pool say to each other, and the thread's side of it. */
import { parentPort } from 'node:worker_threads';
import type { Transferable } from 'node:worker_threads';
import { HoldfastError } from '../failures.ts';
import type { FailureCode } from '../failures.ts';

export type ToThread =
  | { readonly job: number; readonly type: 'request'; readonly body: unknown }
  | { readonly job: number; readonly type: 'answer'; readonly body: unknown }
  | { readonly job: number; readonly type: 'abandon' };

export type FromThread =
  | { readonly job: number; readonly type: 'ask'; readonly body: unknown }
  | { readonly job: number; readonly type: 'done'; readonly body: unknown }
  | { readonly job: number; readonly type: 'failed'; readonly error: ThreadError };

export interface ThreadError {
  readonly code: FailureCode;
  readonly message: string;
  readonly details: Record<string, unknown>;
  readonly cause: unknown;
}

/** A step's outcome: a question to the main thread, after which the job goes on, or the result. */
export type StepOutcome =
  | { readonly type: 'ask'; readonly body: unknown }
  | { readonly type: 'done'; readonly body: unknown; readonly transfer: readonly Transferable[] };

export interface ThreadHandler {
  request(job: number, body: unknown): StepOutcome;
  answer(job: number, body: unknown): StepOutcome;
  /** The job is over: let go of what it holds. Called after every job, however it ended. */
  release(job: number): void;
}

/** Serves jobs one after the other, each synchronously. An error ends its job only. */
export function serveJobs(handler: ThreadHandler): void {
  const port = parentPort;
  if (port === null) throw new Error('This module runs in a worker thread.');
  port.on('message', (message: ToThread) => {
    const reply = step(handler, message);
    if (reply.message.type !== 'ask') handler.release(message.job);
    port.postMessage(reply.message, reply.transfer);
  });
}

function step(handler: ThreadHandler, message: ToThread): { message: FromThread; transfer: readonly Transferable[] } {
  const { job } = message;
  try {
    const outcome = run(handler, message);
    const transfer = outcome.type === 'done' ? outcome.transfer : [];
    return { message: { job, type: outcome.type, body: outcome.body }, transfer };
  } catch (cause) {
    return { message: { job, type: 'failed', error: toThreadError(cause) }, transfer: [] };
  }
}

function run(handler: ThreadHandler, message: ToThread): StepOutcome {
  switch (message.type) {
    case 'request':
      return handler.request(message.job, message.body);
    case 'answer':
      return handler.answer(message.job, message.body);
    case 'abandon':
      return { type: 'done', body: undefined, transfer: [] };
  }
}

function toThreadError(cause: unknown): ThreadError {
  if (cause instanceof HoldfastError) {
    return { code: cause.code, message: cause.message, details: cause.details, cause: plainCause(cause.cause) };
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return { code: 'Internal', message: `A worker thread failed: ${message}`, details: {}, cause: plainCause(cause) };
}

/** Causes cross the thread's border as text: not every error can be cloned. */
function plainCause(cause: unknown): unknown {
  return cause instanceof Error ? cause.stack : undefined;
}
