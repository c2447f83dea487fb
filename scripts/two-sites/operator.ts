/** Who works at one site, through its engine: the inputs are those of the command line. Engines that are away are waited for. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { waitFor } from '../../sample/stack/processes.ts';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import {
  QUERIES,
  UPDATES,
  workflowIds,
  WORKFLOWS,
  type BackupResult,
  type FailoverInput,
  type FailoverPlan,
  type FailoverResult,
  type Progress,
} from '../../src/workflows/contract.ts';
import { followSteps, type Steps } from './steps.ts';

const LIMIT_MS = 400_000;
const LOOK_MS = 100;
const ANSWER_LIMIT_MS = 10_000;

/** What is said to a plan that waits: nothing, and it waits on. */
export type Answer = 'approve' | 'reject' | 'nothing';

export interface Asked {
  readonly input?: Partial<FailoverInput>;
  /** Of the activities of the failover and its restore. */
  readonly steps: Steps;
  /** Asked once for each question. Default: it is approved. */
  readonly answer?: (plan: FailoverPlan) => Promise<Answer> | Answer;
}

export class Operator {
  private readonly system: string;
  private readonly client: Client;

  constructor(system: string, client: Client) {
    this.system = system;
    this.client = client;
  }

  /** Resolves when there is a new backup; one that is refused or fails for a while, as without a lease, is asked for again. */
  async backup(plan: string): Promise<void> {
    const workflowId = workflowIds.backup(this.system, plan);
    let last = '';
    await waitFor(`a backup, ${last}`, LIMIT_MS, async () => {
      const { runId } = await this.start(WORKFLOWS.backup, workflowId, { system: this.system, plan });
      try {
        const { outcome, why = '' } = (await this.endOf(workflowId, runId)) as BackupResult;
        last = why;
        return outcome === 'done' ? true : undefined;
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        last = told(error);
        return undefined;
      }
    });
  }

  /** One failover from its start to its end. What failed is told as refused: nobody can say more from outside. */
  async failover({ input, steps, answer = () => 'approve' }: Asked): Promise<FailoverResult> {
    const workflowId = workflowIds.failover(this.system);
    const { runId } = await this.start(WORKFLOWS.failover, workflowId, { system: this.system, ...input });
    const over = new AbortController();
    const following = followSteps(this.client, { workflowId, runId }, steps, over.signal);
    const answering = this.answering(this.client.workflow.getHandle(workflowId, runId), answer, over.signal);
    try {
      return (await this.endOf(workflowId, runId)) as FailoverResult;
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      return { outcome: 'refused', why: told(error), reasons: [`it failed: ${told(error)}`] };
    } finally {
      over.abort();
      await Promise.all([following, answering]);
    }
  }

  /** Follows the next run of this operation, which somebody else starts, to its end; or until the signal is aborted. */
  async followNext(workflowId: string, steps: Steps, signal: AbortSignal): Promise<void> {
    const handle = this.client.workflow.getHandle(workflowId);
    const runOf = async (): Promise<string | undefined> => (await handle.describe().catch(() => undefined))?.runId;
    const last = await runOf();
    while (!signal.aborted) {
      const runId = await runOf();
      if (runId !== undefined && runId !== last) return followSteps(this.client, { workflowId, runId }, steps, signal);
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Asks that the failover be given up. */
  async cancel(): Promise<void> {
    await this.client.workflow.getHandle(workflowIds.failover(this.system)).cancel();
  }

  /** Says no to whatever this operation asks, as soon as it does; until the signal is aborted. */
  async reject(workflowId: string, signal: AbortSignal): Promise<void> {
    const handle = this.client.workflow.getHandle(workflowId);
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      const asks = await handle.query<Progress>(QUERIES.progress).catch(() => undefined);
      if (asks?.waitingFor !== undefined && (await this.say(handle, '', 'reject'))) return;
    }
  }

  /** One that runs already is followed: who asked for it may have lost the answer. */
  private async start(type: string, workflowId: string, input: object): Promise<{ runId: string }> {
    return waitFor(`the engine to take ${workflowId}`, LIMIT_MS, async () => {
      try {
        const options = { taskQueue: ORCHESTRATION_QUEUE, workflowId, args: [input] };
        const { firstExecutionRunId } = await this.client.workflow.start(type, options);
        return { runId: firstExecutionRunId };
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return undefined;
        const running = await this.client.workflow
          .getHandle(workflowId)
          .describe()
          .catch(() => undefined);
        return running === undefined ? undefined : { runId: running.runId };
      }
    });
  }

  private async endOf(workflowId: string, runId: string): Promise<unknown> {
    return waitFor(`${workflowId} to end`, LIMIT_MS, async () => {
      try {
        const value: unknown = await this.client.workflow.getHandle(workflowId, runId).result();
        return { value };
      } catch (error) {
        if (error instanceof WorkflowFailedError) throw error;
        return undefined;
      }
    }).then(({ value }) => value);
  }

  private async answering(handle: WorkflowHandle, answer: NonNullable<Asked['answer']>, signal: AbortSignal) {
    let heard: string | undefined;
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      const plan = await this.asked(handle, heard);
      if (plan === undefined) continue;
      const said = await answer(plan);
      if (said === 'nothing' || (await this.say(handle, plan.digest, said))) heard = plan.digest;
      if (heard !== undefined) return;
    }
  }

  private async asked(handle: WorkflowHandle, heard: string | undefined): Promise<FailoverPlan | undefined> {
    try {
      const { waitingFor } = await handle.query<Progress>(QUERIES.progress);
      if (waitingFor === undefined) return undefined;
      const plan = await handle.query<FailoverPlan | undefined>(QUERIES.plan);
      return plan?.digest === heard ? undefined : plan;
    } catch {
      // No worker is there at the moment, or no engine.
      return undefined;
    }
  }

  private async say(handle: WorkflowHandle, digest: string, said: 'approve' | 'reject'): Promise<boolean> {
    const message = said === 'approve' ? { digest, by: 'operator' } : { by: 'operator', why: 'not now' };
    try {
      await this.client.connection.withDeadline(Date.now() + ANSWER_LIMIT_MS, () =>
        handle.executeUpdate(UPDATES[said], { args: [message], updateId: `${said}-${randomUUID()}` }),
      );
      return true;
    } catch {
      return false;
    }
  }
}

function told(error: WorkflowFailedError): string {
  const words: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) words.push(at.message);
  return words.join(': ');
}
