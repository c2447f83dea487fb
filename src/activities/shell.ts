/**
 * What surrounds every activity: heartbeats, cancellation, failures in the catalogue's words. Work inside it is given a
 * signal and a way to tell its progress and needs to know nothing of Temporal.
 */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { stillRuns } from '../engine/still-runs.ts';
import { HoldfastError } from '../failures.ts';
import { logWith, withLogFields, type LogFields, type Logger } from '../observe/log.ts';
import { redact, redactText } from '../observe/redact.ts';
import type { ActivityProgress } from '../workflows/contract.ts';

export interface Run {
  /** Aborts when the operation is cancelled, when the worker stops, or when this attempt has lost its time. */
  readonly signal: AbortSignal;
  readonly report: (progress: ActivityProgress) => void;
  /** Counts from 1. */
  readonly attempt: number;
  readonly log: Logger;
  /** Undefined where nothing outlives an attempt. */
  readonly memory?: AttemptMemory;
  /** Undefined where no workflow asks for this. */
  readonly asker?: Asker;
}

/** What the attempts of one activity hand on to each other. Small, no secret: it is in the engine, until the activity ends. */
export interface AttemptMemory {
  /** What the attempts before this one have kept. */
  readonly kept: readonly string[];
  /** In the place of what was kept before. A failure that follows carries it to the next attempt. */
  keep(words: readonly string[]): void;
}

export interface Asker {
  /** The run that asks for this. */
  readonly execution: Execution;
  /** False when the engine knows it as ended, or does not know it any more. */
  stillRuns(execution: Execution): Promise<boolean>;
  /** Another one for another engine, and for one whose database was made anew. */
  engineId(): Promise<string>;
}

/** One run of a workflow. */
export interface Execution {
  readonly workflowId: string;
  readonly runId: string;
}

export type Work<I, O> = (input: I, run: Run) => Promise<O>;

export interface ShellOptions {
  /** Undoing: no failure ends the retries, because something of the operator's is still held. */
  readonly insistent?: boolean;
}

const HEARTBEAT_MS = 2000;
/** A defect does not go away by itself: what nobody foresaw is tried a few times, then told. */
const INTERNAL_ATTEMPTS = 5;
const MESSAGE_LIMIT = 2000;

/** Makes an activity of some work. The context is captured first: outside the call chain there is none. */
export function activity<I, O>(name: string, work: Work<I, O>, options: ShellOptions = {}): (input: I) => Promise<O> {
  return async (input) => {
    const context = Context.current();
    const fields = fieldsOf(name, context, input);
    const logger = logWith('activities', fields);
    const beats = heartbeats(context, name);
    const execution = context.info.workflowExecution;
    try {
      const run: Run = {
        signal: context.cancellationSignal,
        report: beats.report,
        attempt: context.info.attempt,
        log: logger,
        memory: beats.memory,
        ...(execution === undefined ? {} : { asker: askerOf(execution, () => context.client) }),
      };
      return await withLogFields(fields, () => work(input, run));
    } catch (error) {
      throw outcomeOf(error, context, logger, options.insistent ?? false);
    } finally {
      beats.stop();
    }
  };
}

/** Whose work a line of the log tells of: found again by any of these. */
function fieldsOf(activity: string, { info }: Context, input: unknown): LogFields {
  const given = typeof input === 'object' && input !== null && 'system' in input ? input.system : undefined;
  const { workflowExecution: execution, workflowType } = info;
  return {
    ...(typeof given === 'string' ? { system: given } : {}),
    ...(workflowType === undefined ? {} : { operation: workflowType }),
    ...(execution === undefined ? {} : { workflowId: execution.workflowId, runId: execution.runId }),
    activity,
    attempt: info.attempt,
  };
}

/** The client is asked for only when it is needed: an activity that runs without an engine has none. */
export function askerOf(execution: Execution, client: () => Client): Asker {
  return {
    execution,
    stillRuns: ({ workflowId, runId }) => stillRuns(client(), workflowId, runId),
    engineId: () => engineId(client()),
  };
}

/** A namespace gets its id when it is made. */
async function engineId({ workflowService, options: { namespace } }: Client): Promise<string> {
  const { namespaceInfo } = await workflowService.describeNamespace({ namespace });
  return namespaceInfo?.id ?? '';
}

/** The first at once, so that a cancel finds even a short activity; then the latest progress every few seconds. */
function heartbeats(
  context: Context,
  name: string,
): { report: Run['report']; memory: AttemptMemory; stop: () => void } {
  let latest: ActivityProgress = { phase: name };
  const before = keptIn(context.info.heartbeatDetails);
  let kept = before;
  const beat = (): void => context.heartbeat({ ...latest, ...(kept.length === 0 ? {} : { kept }) });
  const timer = setInterval(beat, HEARTBEAT_MS);
  beat();
  const keep = (words: readonly string[]): void => {
    kept = [...words];
    beat();
  };
  return {
    report: (progress) => void (latest = progress),
    memory: { kept: before, keep },
    stop: () => clearInterval(timer),
  };
}

function keptIn(details: unknown): readonly string[] {
  if (typeof details !== 'object' || details === null || !('kept' in details)) return [];
  return Array.isArray(details.kept) ? details.kept.map(String) : [];
}

function outcomeOf(error: unknown, context: Context, logger: Logger, insistent: boolean): Error {
  const { reason } = context.cancellationSignal as { reason?: unknown };
  if (context.cancellationSignal.aborted && reason instanceof CancelledFailure) {
    // Whatever the work threw, it threw on its way out.
    if (!(error instanceof CancelledFailure)) logger.info({ err: error, reason: reason.message }, 'ended early');
    return reason;
  }
  if (error instanceof CancelledFailure) return error;
  const known = error instanceof HoldfastError ? error : undefined;
  const code = known?.code ?? 'Internal';
  const failed = known ?? new HoldfastError('Internal', error instanceof Error ? error.message : String(error));
  logger.warn({ err: error, code }, 'failed');
  const spent = code === 'Internal' && context.info.attempt >= INTERNAL_ATTEMPTS;
  const { retryAfterSeconds } = failed.details;
  const failure = ApplicationFailure.create({
    type: code,
    message: redactText(failed.message).slice(0, MESSAGE_LIMIT),
    nonRetryable: !insistent && (!failed.waitingHelps || spent),
    // Who was asked wants to be left alone for so long.
    ...(typeof retryAfterSeconds === 'number' ? { nextRetryDelay: retryAfterSeconds * 1000 } : {}),
    details: [{ hint: failed.hint, ...(redact(failed.details) as Record<string, unknown>) }],
  });
  // The host's log has it; a history needs no paths of this machine.
  failure.stack = '';
  return failure;
}
