/** Small moves that the tests of workflows share. */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { WorkflowFailedError, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import type { History } from '../histories/history-json.ts';
import { ApplicationFailure } from '@temporalio/common';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import { workflowIds, WORKFLOWS, type Progress } from '../../src/workflows/contract.ts';
import { crew, eventually, uniqueName, type Crew } from './stage.ts';
import { World, type WorldOptions } from './world.ts';

export class Play {
  private readonly server: () => TestWorkflowEnvironment;
  private readonly started: WorkflowHandle[] = [];

  constructor(server: () => TestWorkflowEnvironment) {
    this.server = server;
  }

  get env(): TestWorkflowEnvironment {
    return this.server();
  }

  async inWorld<T>(options: WorldOptions, act: (world: World, workers: Crew) => Promise<T>): Promise<T> {
    const world = new World(options);
    const workers = await crew(this.env, world);
    const { configHost } = options;
    const others = configHost === undefined ? undefined : await crew(this.env, world, configHost, ['host', 'urgent']);
    try {
      return await act(world, workers);
    } finally {
      if (this.env.supportsTimeSkipping) await this.auditsEnd();
      await others?.close();
      await workers.close();
    }
  }

  async start(type: string, input: unknown, workflowId = uniqueName(type)): Promise<WorkflowHandle> {
    const options = { taskQueue: ORCHESTRATION_QUEUE, workflowId, args: [input] };
    const handle = await this.env.client.workflow.start(type, options);
    this.started.push(handle);
    return handle;
  }

  /**
   * Records of the audit log outlive who asked for them. The time-skipping server stays where it is once for each child that
   * ends after its parent, so that it is told to go on as often.
   */
  private async auditsEnd(): Promise<void> {
    for (const handle of this.started.splice(0)) {
      const { events } = await handle.fetchHistory();
      const ended = new Set(
        events?.map((event) => event.childWorkflowExecutionCompletedEventAttributes?.workflowExecution?.runId),
      );
      for (const { childWorkflowExecutionStartedEventAttributes: child } of events ?? []) {
        if (child?.workflowType?.name !== WORKFLOWS.audit || ended.has(child.workflowExecution?.runId)) continue;
        await this.env.client.workflow.getHandle(child.workflowExecution?.workflowId ?? '').result();
        await this.env.connection.testService?.unlockTimeSkipping({});
      }
    }
  }

  async run<T>(type: string, input: unknown): Promise<T> {
    return (await (await this.start(type, input)).result()) as T;
  }

  historyOf(workflowId: string): Promise<History> {
    return this.env.client.workflow.getHandle(workflowId).fetchHistory();
  }

  lockIsFree(system: string): Promise<boolean> {
    return this.env.client.workflow
      .getHandle(workflowIds.lock(system, 'home'))
      .describe()
      .then(({ status }) => status.name !== 'RUNNING');
  }
}

export function waitingFor(handle: WorkflowHandle, what: string): Promise<true> {
  return eventually(`it waits for ${what}`, async () => {
    const progress = await handle.query<Progress>('progress');
    return progress.waitingFor?.includes(what) === true || undefined;
  });
}

/** To the plan that is shown, once this is asked. */
export async function answer(handle: WorkflowHandle, question: string, word: 'approve' | 'reject'): Promise<void> {
  await waitingFor(handle, question);
  const { digest } = await handle.query<{ digest: string }>('plan');
  await handle.executeUpdate(word, { args: [{ digest, by: 'ann', why: 'not today' }] });
}

/** The catalogue's failure that ended a workflow. */
export async function failureOf(promise: Promise<unknown>): Promise<ApplicationFailure> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure) return error.cause;
  throw new Error(`expected a failure of the catalogue, got ${String(error)}`);
}

/** The catalogue's code by which an update was refused. */
export async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    return error.cause.type ?? '';
  }
  throw new Error(`expected a refused update, got ${String(error)}`);
}
