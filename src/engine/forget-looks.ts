/**
 * The workflow `monitor` looks every minute: two runs of 13 KB together, which the engine would keep for as long as a
 * backup's, 260,000 of them and gigabytes for each system. What they found is told by incidents, which stay.
 */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { HoldfastError } from '../failures.ts';
import { log } from '../observe/log.ts';
import { scheduledRunId } from '../policy/schedules.ts';
import { parseDurationSeconds } from '../system/durations.ts';
import { listSystems } from '../system/index.ts';
import { workflowIds, WORKFLOWS } from '../workflows/contract.ts';
import { connectEngine } from './connect.ts';
import { Repeated } from './repeated.ts';

/** Long enough to see how a trouble of yesterday was found. */
const KEPT_MS = 24 * 3_600_000;
const EVERY_MS = 3_600_000;
const FIRST_AFTER_MS = 300_000;
/** A day of one system are 2880; what is left over is for the next turn. */
const MOST_AT_ONCE = 5000;

/**
 * Removes runs of `monitor`, and of the schedule that starts it, which ended before, and returns their ids: the
 * engine does it within a minute. Runs of anything else, open ones, and those of systems that are not named stay. A repeat
 * goes on with what is left.
 */
export async function forgetLooks(
  client: Client,
  systems: readonly string[],
  beforeMs: number,
  options: { readonly most?: number; readonly signal?: AbortSignal } = {},
): Promise<string[]> {
  const { most = MOST_AT_ONCE, signal } = options;
  const closed = `ExecutionStatus != 'Running' AND CloseTime < '${new Date(beforeMs).toISOString()}'`;
  const forgotten: string[] = [];
  for (const system of systems) {
    const queries = [
      `WorkflowType = '${WORKFLOWS.monitor}' AND WorkflowId = '${workflowIds.monitor(system)}'`,
      `WorkflowType = '${WORKFLOWS.scheduled}' AND WorkflowId STARTS_WITH '${scheduledRunId(system, 'monitor')}-'`,
    ];
    for (const query of queries) {
      for await (const { workflowId, runId } of client.workflow.list({ query: `${query} AND ${closed}` })) {
        if (forgotten.length >= most) return forgotten;
        signal?.throwIfAborted();
        if (await forget(client, workflowId, runId)) forgotten.push(workflowId);
      }
    }
  }
  return forgotten;
}

/** False when it is gone already: lists lag behind. */
async function forget(client: Client, workflowId: string, runId: string): Promise<boolean> {
  const { namespace } = client.options;
  try {
    await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } });
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || isNotFound(error)) return false;
    throw error;
  }
}

const GRPC_NOT_FOUND = 5;

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === GRPC_NOT_FOUND;
}

/**
 * After how long looks go, in seconds: what was asked for, else HOLDFAST_FORGET_LOOKS, such as `24h`. Undefined, also for
 * `off`: they stay. Throws BadInput.
 */
export function forgetLooksAfter(asked: string | undefined, environment: NodeJS.ProcessEnv): number | undefined {
  const text = asked ?? environment['HOLDFAST_FORGET_LOOKS'];
  if (text === undefined || text === '' || text === 'off') return undefined;
  const seconds = parseDurationSeconds(text);
  if (seconds !== undefined && seconds > 0) return seconds;
  throw new HoldfastError('BadInput', `${text} is no time after which looks of monitoring are removed`, {
    hint: 'Write a duration such as 24h, or off.',
  });
}

/** Whether this machine's settings ask for it. */
export function forgetsLooks(environment: NodeJS.ProcessEnv): boolean {
  return forgetLooksAfter(undefined, environment) !== undefined;
}

/** Does so every hour. What fails is logged, and tried again an hour later. */
export function looksForgotten(keptMs = KEPT_MS): Repeated {
  return new Repeated({
    firstAfterMs: FIRST_AFTER_MS,
    everyMs: EVERY_MS,
    turn: async (signal) => {
      await using engine = await connectEngine();
      const systems = (await listSystems()).map(({ name }) => name);
      await forgetLooks(engine.client, systems, Date.now() - keptMs, { signal });
    },
    failed: (err) => log('engine').warn({ err }, 'old looks of monitor could not be removed from the engine'),
  });
}
