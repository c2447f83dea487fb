/** How the newest ended run of each operation of a system went, as the engine remembers it. */
import type { Engine } from '../engine/connect.ts';
import { tell } from '../observe/told.ts';
import type { RunSeen } from '../policy/judge-engine.ts';
import { SEARCH_ATTRIBUTES, WORKFLOWS } from '../workflows/contract.ts';

/** What runs by itself; a restore has a person before it. */
const TYPES = [WORKFLOWS.backup, WORKFLOWS.copy, WORKFLOWS.prune, WORKFLOWS.verifyStore] as const;
const MOST_LOOKED_AT = 500;
/** A schedule adds the time for which it started a run. */
const SCHEDULED = /-\d{4}-\d\d-\d\dT[0-9:.]+Z$/;

/** Of each operation the newest that was not cancelled. Throws what the engine's client throws. */
export async function lastRuns({ client }: Engine, system: string): Promise<RunSeen[]> {
  const types = TYPES.map((type) => `'${type}'`).join(', ');
  const query = `${SEARCH_ATTRIBUTES.system} = '${system}' AND WorkflowType IN (${types}) AND ExecutionStatus != 'Running'`;
  const newest = new Map<string, { workflowId: string; runId: string; endedAtMs: number; status: string }>();
  let seen = 0;
  for await (const { workflowId, runId, closeTime, status } of client.workflow.list({ query, pageSize: 100 })) {
    seen += 1;
    if (seen > MOST_LOOKED_AT) break;
    if (status.name === 'CANCELLED' || status.name === 'CONTINUED_AS_NEW' || closeTime === undefined) continue;
    const subject = operationOf(system, workflowId);
    const endedAtMs = closeTime.getTime();
    const known = newest.get(subject);
    if (known !== undefined && known.endedAtMs >= endedAtMs) continue;
    newest.set(subject, { workflowId, runId, endedAtMs, status: status.name });
  }
  return Promise.all(
    [...newest].map(async ([subject, { workflowId, runId, endedAtMs, status }]): Promise<RunSeen> => {
      if (status === 'COMPLETED') return { subject, workflowId, endedAtMs, ok: true };
      return { subject, workflowId, endedAtMs, ok: false, ...(await whyOf({ client }, workflowId, runId)) };
    }),
  );
}

/** `shop/backup/daily-2026-11-21T02:00:00Z` is `backup/daily`. */
export function operationOf(system: string, workflowId: string): string {
  const own = workflowId.startsWith(`${system}/`) ? workflowId.slice(system.length + 1) : workflowId;
  return own.replace(SCHEDULED, '');
}

async function whyOf(
  { client }: Pick<Engine, 'client'>,
  workflowId: string,
  runId: string,
): Promise<{ message: string; hint: string }> {
  try {
    await client.workflow.getHandle(workflowId, runId, { followRuns: false }).result();
    return { message: 'it ended in another way', hint: 'Look at it in the UI of the engine.' };
  } catch (error) {
    // The client wraps it: what failed is below.
    const { cause } = error as { cause?: unknown };
    const { message, hint } = tell(cause ?? error);
    return { message, hint };
  }
}
