/** Runs that have ended in the last days, with why the newest failures failed. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import type { Engine } from '../../engine/connect.ts';
import { failureOfRun } from '../../status/last-runs.ts';
import { SHOWN } from '../../status/running.ts';
import { DAY_MS, DAYS } from '../days.ts';
import type { EndedRun } from '../facts.ts';

const MOST = 500;
/** Asked for one by one, once. */
const MOST_WHYS = 20;
const WHY_LIMIT = 500;

const OUTCOMES: Readonly<Record<string, EndedRun['outcome']>> = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed out',
};

/** Newest first. `whys` remembers by run what was looked up; what is not shown any more is taken out of it. */
export async function endedRuns(engine: Engine, whys: Map<string, string>, nowMs: number): Promise<EndedRun[]> {
  const since = new Date(nowMs - DAYS * DAY_MS).toISOString();
  // Monitoring alone ends thousands of runs a day.
  const query = `${SHOWN} AND CloseTime > '${since}'`;
  const found: EndedRun[] = [];
  for await (const run of engine.client.workflow.list({ query, pageSize: MOST })) {
    const ended = endedRun(run);
    if (ended !== undefined) found.push(ended);
    if (found.length >= MOST) break;
  }
  const runs = found.toSorted((a, b) => b.endedAt.localeCompare(a.endedAt));
  const failed = runs.filter(({ outcome }) => outcome === 'failed').slice(0, MOST_WHYS);
  for (const { workflowId, runId } of failed) {
    if (!whys.has(runId)) whys.set(runId, await whyOf(engine, workflowId, runId));
  }
  for (const known of whys.keys()) if (!failed.some(({ runId }) => runId === known)) whys.delete(known);
  return runs.map((run) => {
    const why = whys.get(run.runId);
    return why === undefined ? run : { ...run, why };
  });
}

function endedRun({ workflowId, runId, type, status, startTime, closeTime }: WorkflowExecutionInfo) {
  const outcome = OUTCOMES[status.name];
  if (outcome === undefined || closeTime === undefined) return undefined;
  return { workflowId, runId, type, outcome, startedAt: startTime.toISOString(), endedAt: closeTime.toISOString() };
}

async function whyOf(engine: Engine, workflowId: string, runId: string): Promise<string> {
  return (await failureOfRun(engine, workflowId, runId))?.message.slice(0, WHY_LIMIT) ?? '';
}
