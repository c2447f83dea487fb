/** Asks the engine which runs have ended, counts each once, and tells how long those took that succeeded. */
import type { Client } from '@temporalio/client';
import type { RunStatus } from './definitions.ts';
import { OPERATIONS, runLabels, runStatus, type EndedRun, type RunLabels } from './ended-runs.ts';
import type { RunTotals } from './run-totals.ts';

export interface CountedRun {
  readonly labels: RunLabels;
  readonly status: RunStatus;
  readonly seconds: number;
}

type KnownSystems = readonly { readonly system: string; readonly plans: readonly string[] }[];

/**
 * Every run since the last call that has ended, once each, also those that ended while no process looked, as far as the
 * engine keeps them. Throws when the engine does not answer; then nothing is lost, because the next call looks as far back.
 */
export async function countEndedRuns(
  client: Client,
  totals: RunTotals,
  systems: KnownSystems,
  nowMs: number,
): Promise<CountedRun[]> {
  const counted: CountedRun[] = [];
  const types = OPERATIONS.map((type) => `'${type}'`).join(', ');
  const query = `CloseTime >= '${new Date(totals.fromMs).toISOString()}' AND WorkflowType IN (${types})`;
  for await (const info of client.workflow.list({ query })) {
    const { workflowId, runId, type, startTime, closeTime } = info;
    if (closeTime === undefined || totals.has(runId)) continue;
    const run = {
      workflowId,
      runId,
      type,
      status: info.status.name,
      startMs: startTime.getTime(),
      closeMs: closeTime.getTime(),
    };
    const one = count(totals, await withResult(client, run), systems);
    if (one !== undefined) counted.push(one);
  }
  totals.keep(nowMs);
  return counted;
}

function count(totals: RunTotals, run: EndedRun, systems: KnownSystems): CountedRun | undefined {
  const status = runStatus(run);
  if (status === undefined) {
    totals.pass(run.runId, run.closeMs);
    return undefined;
  }
  const labels = runLabels(run, systems);
  totals.count(run.runId, run.closeMs, { ...labels, status });
  return { labels, status, seconds: Math.max(0, (run.closeMs - run.startMs) / 1000) };
}

/** Only a completed run has a result; one that is gone from the engine by now is told by its status alone. */
async function withResult(client: Client, run: EndedRun): Promise<EndedRun> {
  if (run.status !== 'COMPLETED') return run;
  try {
    const handle = client.workflow.getHandle(run.workflowId, run.runId, { followRuns: false });
    return { ...run, result: await handle.result() };
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return run;
    throw error;
  }
}
