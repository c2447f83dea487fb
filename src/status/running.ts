/** What runs in the engine, and what waits for a person. Nothing here needs the engine to be there. */
import { isEngineKnown } from '../engine/ephemeral.ts';
import { connectEngine, type Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import { namesDigest } from '../policy/approval.ts';
import { QUERIES, workflowIds, WORKFLOWS, type Progress } from '../workflows/contract.ts';
import { tell } from '../observe/told.ts';
import { stepTrouble } from './step-trouble.ts';

export interface RunningOperation {
  readonly workflowId: string;
  readonly type: string;
  readonly startedAt: string;
  readonly phase?: string;
  readonly waitingFor?: string;
  /** What a step fails with that is tried again. */
  readonly trouble?: string;
  /** Of a plan that waits for approval. */
  readonly digest?: string;
}

export interface EngineState {
  readonly running: boolean;
  readonly why?: string;
  readonly address?: string;
  readonly uiUrl?: string;
  readonly pageUrl?: string;
  readonly operations: readonly RunningOperation[];
}

/** As long as a server that has died takes to be started again. */
export const REFUSED_LIMIT_MS = 2_000;
const MOST_SHOWN = 200;
/** People want to hear of runs of these: those that run for ever have their own ways of telling. */
const SHOWN_TYPES: readonly string[] = [
  WORKFLOWS.backup,
  WORKFLOWS.copy,
  WORKFLOWS.prune,
  WORKFLOWS.checklist,
  WORKFLOWS.housekeeping,
  WORKFLOWS.verify,
  WORKFLOWS.verifyStore,
  WORKFLOWS.restart,
  WORKFLOWS.failover,
  WORKFLOWS.restore,
  WORKFLOWS.restoreRows,
  WORKFLOWS.restoreMissing,
  WORKFLOWS.cleanPoint,
  WORKFLOWS.releaseFreeze,
];
/** The condition of a list of workflows that only these meet. */
export const SHOWN = `WorkflowType IN (${SHOWN_TYPES.map((type) => `'${type}'`).join(', ')})`;

export async function runningOperations(): Promise<EngineState> {
  if (!isEngineKnown()) return { running: false, why: 'start it with `holdfast up`', operations: [] };
  try {
    await using engine = await connectEngine(undefined, { refusedLimitMs: REFUSED_LIMIT_MS });
    const { address, uiUrl, pageUrl } = engine.target;
    const places = { ...(uiUrl === undefined ? {} : { uiUrl }), ...(pageUrl === undefined ? {} : { pageUrl }) };
    return { running: true, address, ...places, operations: await listOperations(engine) };
  } catch (error) {
    return { running: false, why: tell(error).message, operations: [] };
  }
}

async function listOperations(engine: Engine): Promise<RunningOperation[]> {
  const found: RunningOperation[] = [];
  const query = `${SHOWN} AND ExecutionStatus = 'Running'`;
  for await (const { workflowId, type, startTime } of engine.client.workflow.list({ query, pageSize: MOST_SHOWN })) {
    found.push({ workflowId, type, startedAt: startTime.toISOString(), ...(await whereItIs(engine, workflowId)) });
    if (found.length >= MOST_SHOWN) break;
  }
  return found;
}

/** Of one system, among all that runs. */
export function operationsOf(system: string, { operations }: Pick<EngineState, 'operations'>): RunningOperation[] {
  return operations.filter(({ workflowId }) => workflowId.startsWith(`${system}/`));
}

/** Whether what an operation waits for is a person's word. */
export function isForPeople(waitingFor: string | undefined): boolean {
  return waitingFor !== undefined && /approval|decision/.test(waitingFor);
}

/** Empty when no worker can answer, or the operation has just ended. */
async function whereItIs(engine: Engine, workflowId: string): Promise<Partial<RunningOperation>> {
  const handle = engine.client.workflow.getHandle(workflowId);
  try {
    return await engine.client.withDeadline(Date.now() + 3000, async () => {
      const { phase, waitingFor } = await handle.query<Progress>(QUERIES.progress);
      if (waitingFor === undefined) {
        const trouble = stepTrouble((await handle.describe()).raw.pendingActivities);
        return { phase, ...(trouble === undefined ? {} : { trouble }) };
      }
      const plan = await handle.query<{ readonly digest: string } | undefined>(QUERIES.plan);
      return { phase, waitingFor, ...(plan === undefined ? {} : { digest: plan.digest }) };
    });
  } catch {
    return {};
  }
}

/**
 * Which operation a person's answer is for: the one that waits with this digest; else the system's restore, which then
 * says itself what is wrong; else the only one that waits. Throws BadInput when several could be meant.
 */
export async function waitingOperation(engine: Engine, system: string, digest?: string): Promise<string> {
  const own = operationsOf(system, { operations: await listOperations(engine) });
  const waiting = own.filter(({ waitingFor }) => waitingFor !== undefined);
  const meant = waiting.filter(
    (one) => digest !== undefined && one.digest !== undefined && namesDigest(digest, one.digest),
  );
  const restore = workflowIds.restore(system);
  // Prunes of two stores that hold the same backups have the same digest.
  const several = meant.length > 0 ? meant : waiting;
  if (several.length > 1 && !several.some(({ workflowId }) => workflowId === restore)) {
    const ids = several.map(({ workflowId }) => workflowId).join(', ');
    throw new HoldfastError('BadInput', `several operations wait: ${ids}`, { hint: 'Name one with --operation.' });
  }
  const [only] = meant.length > 0 ? meant : waiting.length === 1 ? waiting : [];
  if (meant.length > 0 || !own.some(({ workflowId }) => workflowId === restore)) return only?.workflowId ?? restore;
  return restore;
}
