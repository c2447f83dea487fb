/** Starting an operation in the engine and following it. The operation belongs to the engine: leaving does not end it. */
import type { WorkflowHandle } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import type { Engine } from '../engine/connect.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { QUERIES, type Progress } from '../workflows/contract.ts';
import { createProgress, type ProgressFacts } from '../observe/progress.ts';
import type { Shell } from './shell.ts';
import { quoted } from '../observe/shell-word.ts';
import { stepTrouble } from '../status/step-trouble.ts';

export interface OperationStart {
  readonly type: string;
  readonly workflowId: string;
  readonly input: object;
  /** One line for the UI's lists. */
  readonly summary: string;
}

/** Undefined when an operation with this id runs already. */
export async function startOperation(
  engine: Engine,
  shell: Shell,
  start: OperationStart,
): Promise<WorkflowHandle | undefined> {
  shell.detail(`$ ${temporalStartCommand(engine, start)}`);
  try {
    return await engine.client.workflow.start(start.type, {
      taskQueue: ORCHESTRATION_QUEUE,
      workflowId: start.workflowId,
      args: [start.input],
      staticSummary: start.summary,
    });
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return undefined;
    throw error;
  }
}

/** The same start said to Temporal's own command line. */
export function temporalStartCommand(engine: Pick<Engine, 'target'>, start: OperationStart): string {
  return [
    `temporal workflow start --address ${engine.target.address} --namespace ${engine.target.namespace}`,
    `--task-queue ${ORCHESTRATION_QUEUE} --type ${start.type} --workflow-id ${quoted(start.workflowId)}`,
    `--input ${quoted(JSON.stringify(start.input))}`,
  ].join(' ');
}

export type Followed<T> = { readonly state: 'ended'; readonly result: T } | { readonly state: 'left' };

export interface FollowOptions {
  /** Called whenever the operation was looked at. */
  readonly onProgress?: (progress: Progress, view: FollowView) => Promise<void> | void;
}

export interface FollowView {
  /** Takes the progress bar away until the next look, so that something can be written or asked. */
  hide(): void;
  /** Leaves the operation to itself. */
  leave(): void;
}

/** A look costs the workers a task, so that an operation of a second is left in peace. */
const FIRST_LOOK_MS = 900;
const LOOK_EVERY_MS = 700;

/**
 * Waits for the end of an operation, showing its progress on stderr. Ctrl-C leaves it running and says how to go on
 * watching; a second one ends this process at once. Throws what the operation failed with.
 */
export async function follow<T>(
  engine: Engine,
  shell: Shell,
  handle: WorkflowHandle,
  options: FollowOptions = {},
): Promise<Followed<T>> {
  const view = createProgress(process.stderr);
  const left = Promise.withResolvers<Followed<T>>();
  const ended = new AbortController();
  const leave = (): void => left.resolve({ state: 'left' });
  const onInterrupt = (): void => {
    if (ended.signal.aborted) process.exit(2);
    view.stop();
    shell.say(`\nleft; the operation goes on. Watch it with: holdfast watch ${quoted(handle.workflowId)}`);
    if (engine.target.uiUrl !== undefined) shell.say(`or in the UI: ${engine.target.uiUrl}`);
    ended.abort();
    leave();
  };
  process.on('SIGINT', onInterrupt);
  const result = handle.result() as Promise<T>;
  // While a person is asked, or after leaving, nobody waits for this promise.
  result.catch(() => undefined);
  const seen: FollowView = {
    hide: () => view.hide(),
    leave: () => {
      ended.abort();
      leave();
    },
  };
  const looking = look(handle, ended.signal, view.show.bind(view), (progress) => options.onProgress?.(progress, seen));
  try {
    const answer = await Promise.race([
      result.then((value): Followed<T> => ({ state: 'ended', result: value })),
      left.promise,
      looking.then(() => left.promise),
    ]);
    return answer;
  } finally {
    ended.abort();
    view.stop();
    process.off('SIGINT', onInterrupt);
  }
}

type Show = (facts: ProgressFacts) => void;
type OnProgress = (progress: Progress) => Promise<void> | void;

/** Looks until `ended`. Rejects only with what `onProgress` throws. */
async function look(handle: WorkflowHandle, ended: AbortSignal, show: Show, onProgress: OnProgress): Promise<void> {
  const { setTimeout: sleep } = await import('node:timers/promises');
  const pause = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal: ended }).catch(() => undefined);
  await pause(FIRST_LOOK_MS);
  while (!ended.aborted) {
    const progress = await progressOf(handle);
    if (progress !== undefined) {
      const { beats, trouble } = await pendingOf(handle);
      if (isEnded(ended)) return;
      show({ ...beats, phase: phaseText(progress, trouble ?? beats?.phase) });
      await onProgress(progress);
    }
    await pause(LOOK_EVERY_MS);
  }
}

/** Read anew: an abort may have come during an await. */
function isEnded(signal: AbortSignal): boolean {
  return signal.aborted;
}

function phaseText(progress: Progress, inner: string | undefined): string {
  if (progress.waitingFor !== undefined) return `${progress.phase} · waiting for ${progress.waitingFor}`;
  return inner === undefined || inner === progress.phase ? progress.phase : `${progress.phase} · ${inner}`;
}

/** Undefined while no worker can answer: progress is for people, and the result is waited for elsewhere. */
async function progressOf(handle: WorkflowHandle): Promise<Progress | undefined> {
  try {
    return await handle.query<Progress>(QUERIES.progress);
  } catch {
    return undefined;
  }
}

interface Pending {
  readonly beats?: ProgressFacts;
  readonly trouble?: string;
}

/** The newest heartbeat of what runs now, and what it fails with. Empty also when the engine can't say at this moment. */
async function pendingOf(handle: WorkflowHandle): Promise<Pending> {
  try {
    const { defaultPayloadConverter } = await import('@temporalio/common');
    const { pendingActivities } = (await handle.describe()).raw;
    const trouble = stepTrouble(pendingActivities);
    const payload = (pendingActivities ?? []).map((one) => one.heartbeatDetails?.payloads?.[0]).find(Boolean);
    return {
      ...(trouble === undefined ? {} : { trouble }),
      ...(payload === undefined ? {} : { beats: defaultPayloadConverter.fromPayload<ProgressFacts>(payload) }),
    };
  } catch {
    return {};
  }
}

/** Throws BadInput when there is no such operation, open or in the engine's memory. */
export async function findOperation(engine: Engine, workflowId: string): Promise<WorkflowHandle> {
  const handle = engine.client.workflow.getHandle(workflowId);
  try {
    await handle.describe();
    return handle;
  } catch (cause) {
    if (!(cause instanceof Error) || cause.name !== 'WorkflowNotFoundError') throw cause;
    throw new HoldfastError('BadInput', `the engine knows no operation ${workflowId}`, {
      cause,
      hint: 'See what runs with `holdfast status`.',
    });
  }
}
