/** How the newest ended run of each operation of a system went, as the engine remembers it. */
import type { Engine } from '../engine/connect.ts';
import { tell, type ToldError } from '../observe/told.ts';
import type { RunSeen } from '../policy/judge-engine.ts';
import type { System } from '../system/types.ts';
import { workflowIds, type ReadinessResult } from '../workflows/contract.ts';

/** Of one operation: those that people have cancelled are passed over. */
const MOST_LOOKED_AT = 50;
const OTHERWISE = { message: 'it ended in another way', hint: 'Look at it in the UI of the engine.' } as const;
/** A schedule adds the time for which it started a run. */
const SCHEDULED = /-\d{4}-\d\d-\d\dT[0-9:.]+Z$/;

type Asked = Pick<System, 'name' | 'plans' | 'stores'> & Partial<Pick<System, 'failover'>>;

/** What the system file makes run by itself; a restore has a person before it. What it names no more is nobody's trouble. */
function operationIds({ name, plans, stores, failover }: Asked): string[] {
  const ofStores = stores.map((store) => store.name);
  return [
    ...plans.map((plan) => workflowIds.backup(name, plan.name)),
    ...ofStores.flatMap((store) => [workflowIds.copy(name, store), workflowIds.prune(name, store)]),
    ...[undefined, ...ofStores].map((store) => workflowIds.verifyStore(name, store)),
    ...(failover === undefined ? [] : [workflowIds.readiness(name), workflowIds.rehearsal(name)]),
  ];
}

/**
 * Of each operation the newest that was not cancelled, each asked for by its own id: among all runs of a system the one
 * that comes once a week would be lost behind those that come every minute. Throws what the engine's client throws.
 */
export async function lastRuns({ client }: Engine, system: Asked): Promise<RunSeen[]> {
  const found = await Promise.all(operationIds(system).map((id) => lastRun({ client }, system.name, id)));
  return found.filter((one) => one !== undefined);
}

async function lastRun(engine: Pick<Engine, 'client'>, system: string, id: string): Promise<RunSeen | undefined> {
  const query = `WorkflowId = '${id}' AND ExecutionStatus != 'Running'`;
  let seen = 0;
  for await (const { runId, closeTime, status } of engine.client.workflow.list({ query, pageSize: 5 })) {
    seen += 1;
    if (seen > MOST_LOOKED_AT) return undefined;
    if (status.name === 'CANCELLED' || status.name === 'CONTINUED_AS_NEW' || closeTime === undefined) continue;
    const about = { subject: operationOf(system, id), workflowId: id, endedAtMs: closeTime.getTime() };
    if (status.name === 'COMPLETED') return { ...about, ...(await notReady(engine, id, runId)) };
    const { message, hint } = (await failureOfRun(engine, id, runId)) ?? OTHERWISE;
    return { ...about, ok: false, message, hint };
  }
  return undefined;
}

/** A look at a site's readiness ends well, whatever it has found: what it says counts. */
async function notReady(
  { client }: Pick<Engine, 'client'>,
  id: string,
  runId: string,
): Promise<{ ok: true } | { ok: false; message: string; hint: string }> {
  if (!/\/(?:readiness|rehearsal)$/.test(id.replace(SCHEDULED, ''))) return { ok: true };
  const result = (await client.workflow.getHandle(id, runId, { followRuns: false }).result()) as ReadinessResult;
  if (result.ok) return { ok: true };
  const bad = result.checks.filter(({ verdict }) => verdict === 'not-ready');
  const reasons = bad.flatMap(({ check, reasons: why }) => `${check}: ${why[0] ?? ''}`);
  const { rehearsal } = result;
  if (rehearsal !== undefined && rehearsal.outcome !== 'passed')
    reasons.push(`rehearsal: ${rehearsal.why ?? rehearsal.outcome}`);
  return {
    ok: false,
    message: `${result.site} is not ready to take over: ${reasons.join('; ')}`,
    hint: 'See all of it: holdfast failover <system> --readiness',
  };
}

/** `shop/backup/daily-2026-11-21T02:00:00Z` is `backup/daily`. */
export function operationOf(system: string, workflowId: string): string {
  const own = workflowId.startsWith(`${system}/`) ? workflowId.slice(system.length + 1) : workflowId;
  return own.replace(SCHEDULED, '');
}

/** Why a run that is over failed; undefined when it did not. */
export async function failureOfRun(
  { client }: Pick<Engine, 'client'>,
  workflowId: string,
  runId: string,
): Promise<ToldError | undefined> {
  try {
    await client.workflow.getHandle(workflowId, runId, { followRuns: false }).result();
    return undefined;
  } catch (error) {
    // The client wraps it: what failed is below.
    const { cause } = error as { cause?: unknown };
    return tell(cause ?? error);
  }
}
