/** How an operation ended, and whose it was, as the counters tell it. Pure. */
import { WORKFLOWS } from '../workflows/contract.ts';
import type { RunStatus } from './definitions.ts';

/** One run that has ended, as the engine lists it. */
export interface EndedRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly type: string;
  /** `COMPLETED`, `FAILED`, … */
  readonly status: string;
  readonly startMs: number;
  readonly closeMs: number;
  /** Of a completed one, when it could be had. */
  readonly result?: unknown;
}

export interface RunLabels {
  readonly system: string;
  readonly operation: string;
  readonly plan: string;
}

/** Parts of operations, and what runs for ever: their ends are no news of a backup. */
const NOT_OPERATIONS: readonly string[] = [
  WORKFLOWS.systemLock,
  WORKFLOWS.releaseFreeze,
  WORKFLOWS.receiveWal,
  WORKFLOWS.followChanges,
  WORKFLOWS.standby,
  WORKFLOWS.siteWatch,
  // It ends as what it has started, which counts itself.
  WORKFLOWS.scheduled,
  WORKFLOWS.notify,
  WORKFLOWS.monitor,
  WORKFLOWS.incident,
];
/** Types of the contract that are neither. */
export const OPERATIONS: readonly string[] = Object.values(WORKFLOWS).filter((type) => !NOT_OPERATIONS.includes(type));

/** Undefined for what is no operation, or goes on in a new run. */
export function runStatus(run: Pick<EndedRun, 'type' | 'status' | 'result'>): RunStatus | undefined {
  if (!OPERATIONS.includes(run.type)) return undefined;
  switch (run.status) {
    case 'COMPLETED':
      return statusOfResult(run.result);
    case 'FAILED':
    case 'TIMED_OUT':
      return 'failure';
    case 'CANCELLED':
      return 'cancelled';
    case 'TERMINATED':
      return 'terminated';
    default:
      return undefined;
  }
}

const OUTCOMES: Readonly<Record<string, RunStatus>> = {
  skipped: 'skipped',
  // A plan that was only printed.
  planned: 'skipped',
  rejected: 'rejected',
  expired: 'rejected',
  'rolled-back': 'failure',
};

/** A backup that was stored and then found damaged, and a verification that found something, are failures. */
function statusOfResult(result: unknown): RunStatus {
  if (typeof result !== 'object' || result === null) return 'success';
  const { outcome, ok, verified } = result as { outcome?: unknown; ok?: unknown; verified?: unknown };
  const known = typeof outcome === 'string' ? OUTCOMES[outcome] : undefined;
  if (known !== undefined) return known;
  const verdicts: unknown[] = Array.isArray(verified) ? verified : [verified];
  const isBad = (verdict: unknown): boolean =>
    typeof verdict === 'object' && verdict !== null && 'ok' in verdict && verdict.ok === false;
  return ok === false || verdicts.some(isBad) ? 'failure' : 'success';
}

/** A schedule appends the time it was due to the id. */
const DUE_TIME = /-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Names that no system file has are told as empty, so that whoever starts a workflow can't make series at will. */
export function runLabels(
  run: Pick<EndedRun, 'workflowId' | 'type'>,
  systems: readonly { readonly system: string; readonly plans: readonly string[] }[],
): RunLabels {
  const [first = '', , ...rest] = run.workflowId.split('/');
  const known = systems.find(({ system }) => system === first);
  const subject = rest.join('/').replace(DUE_TIME, '');
  const plan = run.type === WORKFLOWS.backup && known?.plans.includes(subject) === true ? subject : '';
  return { system: known?.system ?? '', operation: run.type, plan };
}
