/** The incidents of systems, as the engine knows them. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import type { Engine } from '../engine/connect.ts';
import type { Check } from '../policy/findings.ts';
import { mapBounded } from '../vault/mutex.ts';
import { QUERIES, WORKFLOWS, type IncidentState } from '../workflows/contract.ts';

export interface KnownIncident {
  readonly workflowId: string;
  readonly runId: string;
  readonly system: string;
  /** `check/subject`. */
  readonly id: string;
  readonly startedAt: string;
  /** False: it is over, or was ended by a person. */
  readonly running: boolean;
  /** Absent when no worker could say, or the run ended otherwise than by healing. */
  readonly incident?: IncidentState;
}

const CONDITIONS = {
  running: ` AND ExecutionStatus = 'Running'`,
  over: ` AND ExecutionStatus != 'Running'`,
  all: '',
} as const;

export interface IncidentChoice {
  /** Default: every system. */
  readonly system?: string | undefined;
  /** Default: every check. */
  readonly check?: Check | undefined;
  /** Default `running`. Those that are over: as far as the engine remembers them. */
  readonly which?: keyof typeof CONDITIONS | undefined;
  readonly limit?: number;
  /** When the last answer may come, in all. Default: half a minute from now. */
  readonly untilMs?: number;
}

interface Listed {
  readonly execution: WorkflowExecutionInfo;
  readonly system: string;
  readonly id: string;
}

const MOST = 200;
/** Each costs the workers a task. */
const ASKED_AT_ONCE = 8;
const ANSWER_LIMIT_MS = 5000;
/** Where no worker answers, each of many would be waited for. */
const ALL_LIMIT_MS = 30_000;
const ID = /^([^/]+)\/incident\/(.+)$/;

/** Running ones first, then the newest. Throws what the engine throws when it can't be asked. */
export async function listIncidents(engine: Engine, choice: IncidentChoice = {}): Promise<KnownIncident[]> {
  const { system, check, which = 'running', limit = MOST, untilMs = Date.now() + ALL_LIMIT_MS } = choice;
  const query = `WorkflowType = '${WORKFLOWS.incident}'${CONDITIONS[which]}`;
  const listed: Listed[] = [];
  for await (const execution of engine.client.workflow.list({ query, pageSize: MOST })) {
    const [, own, id] = ID.exec(execution.workflowId) ?? [];
    if (own === undefined || id === undefined || (system !== undefined && own !== system)) continue;
    if (check !== undefined && !id.startsWith(`${check}/`)) continue;
    // A run that began another carries on in it.
    if (execution.status.name === 'CONTINUED_AS_NEW') continue;
    listed.push({ execution, system: own, id });
    if (listed.length >= limit) break;
  }
  const found = await mapBounded(listed, ASKED_AT_ONCE, (one) => known(engine, one, untilMs));
  return found.toSorted(
    (a, b) => Number(b.running) - Number(a.running) || b.startedAt.localeCompare(a.startedAt, 'en'),
  );
}

async function known(engine: Engine, { execution, system, id }: Listed, untilMs: number): Promise<KnownIncident> {
  const { workflowId, runId, startTime, status } = execution;
  const incident = await stateOf(engine, { workflowId, runId }, status.name, untilMs);
  return {
    workflowId,
    runId,
    system,
    id,
    startedAt: incident?.openedAt ?? startTime.toISOString(),
    running: status.name === 'RUNNING',
    ...(incident === undefined ? {} : { incident }),
  };
}

/** Undefined when no worker answers in time, or when the run has no such end. */
async function stateOf(
  engine: Engine,
  { workflowId, runId }: Pick<KnownIncident, 'workflowId' | 'runId'>,
  status: string,
  untilMs: number,
): Promise<IncidentState | undefined> {
  const handle = engine.client.workflow.getHandle(workflowId, runId);
  try {
    return await engine.client.withDeadline(Math.min(Date.now() + ANSWER_LIMIT_MS, untilMs), async () => {
      if (status === 'RUNNING') return await handle.query<IncidentState>(QUERIES.incident);
      return status === 'COMPLETED' ? ((await handle.result()) as IncidentState) : undefined;
    });
  } catch {
    return undefined;
  }
}
