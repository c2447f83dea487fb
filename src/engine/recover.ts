/**
 * What a dead worker was doing is begun again at once. The server learns of a death only when heartbeats stay away for
 * half a minute; whoever started the process knows at once, and says so in its name.
 */
import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { ActivityNotFoundError, ApplicationFailure } from '@temporalio/client';
import proto from '@temporalio/proto';

const { PENDING_ACTIVITY_STATE_STARTED: STARTED } = proto.temporal.api.enums.v1.PendingActivityState;

export interface FailedAttempt {
  readonly workflowId: string;
  readonly activity: string;
}

async function failAttempt(client: Client, workflowId: string, runId: string, activityId: string): Promise<boolean> {
  const died = ApplicationFailure.create({ type: 'WorkerDied', message: 'The worker process died.' });
  try {
    await client.activity.fail({ workflowId, runId, activityId }, died);
    return true;
  } catch (error) {
    // It timed out or was cancelled in between: then nobody waits for the dead any more.
    if (error instanceof ActivityNotFoundError) return false;
    throw error;
  }
}

async function failAttemptsIn(
  client: Client,
  workflowId: string,
  runId: string,
  worker: string,
): Promise<FailedAttempt[]> {
  const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
  const failed: FailedAttempt[] = [];
  for (const { activityId, activityType, state, lastWorkerIdentity } of raw.pendingActivities ?? []) {
    const isOfTheDead = state === STARTED && lastWorkerIdentity === worker;
    if (!isOfTheDead || typeof activityId !== 'string') continue;
    if (await failAttempt(client, workflowId, runId, activityId)) {
      failed.push({ workflowId, activity: activityType?.name ?? activityId });
    }
  }
  return failed;
}

/**
 * Fails every attempt that the worker process with this number, of this machine, has begun; their retry policies begin
 * them again. Only for processes that are known to have ended. Workflows whose record is not yet searchable are missed,
 * so a second call after a moment finds more; what both miss, the heartbeat time-out finds.
 */
export async function failAttemptsOfDead(client: Client, pid: number): Promise<FailedAttempt[]> {
  const worker = `${pid}@${hostname()}`;
  const failed: FailedAttempt[] = [];
  for await (const { workflowId, runId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
    failed.push(...(await failAttemptsIn(client, workflowId, runId, worker)));
  }
  return failed;
}
