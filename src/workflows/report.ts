/** What happened is written down beside the system's state. */
import { CancellationScope, isCancellation, log, patched, TemporalFailure, workflowInfo } from '@temporalio/workflow';
import type { Asking } from '../activities/audit-types.ts';
import { FAILURES } from '../failures.ts';
import { auditedEnd } from '../policy/audited-ends.ts';
import { handToAudit, isAudited } from './audited.ts';
import { told } from './failure.ts';
import { asking, reporting } from './proxies.ts';

const NAMES_STARTER = 'audit-names-starter';

type Report = Parameters<typeof reporting.writeReport>[0];

interface Written extends Report {
  /** For the audit log alone: what was done to what. */
  readonly about?: string;
}

/**
 * Also of a run that was cancelled after its point of no return. What was done stays done when it can't be written down,
 * and is still the run's result, so that this never throws.
 */
export async function writeDown({ about, ...report }: Written): Promise<void> {
  try {
    await CancellationScope.nonCancellable(() => reporting.writeReport(report));
  } catch (error) {
    log.warn('the report could not be written', { why: told(error).message });
  }
  await tellEnd({ ...report, ...(about === undefined ? {} : { about }) });
}

/** What changed something, or was to, is in the audit log with its outcome. */
async function tellEnd({ system, kind, report, about }: Written): Promise<void> {
  const end = auditedEnd(kind, report);
  if (end === undefined || !isAudited()) return;
  const told = { ...(about === undefined ? {} : { about }), ...end };
  await handToAudit({ system, operation: kind, what: 'ended', ...told, ...(await starter(system)) });
}

/** Many operations ask nobody: then only this says who wanted it. */
async function starter(system: string): Promise<Partial<Asking['asker']>> {
  if (!patched(NAMES_STARTER)) return {};
  try {
    return (await CancellationScope.nonCancellable(() => asking.whoAsks({ system }))).asker;
  } catch (error) {
    log.warn('who started this is not known', { why: told(error).message });
    return {};
  }
}

/**
 * Runs an operation on a system that is known to be there. When it fails, that is written down too, under the run's own
 * id, and the failure goes on as it was. A cancelled run has not failed; a defect of this code is not an end of the run.
 */
export async function reportingFailure<T>(system: string, kind: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof TemporalFailure) || isCancellation(error)) throw error;
    const { code, message, details } = told(error);
    const facts = typeof details === 'object' && details !== null ? details : {};
    const failure = { hint: FAILURES[code].hint, ...facts, code, message };
    await writeDown({ system, kind, id: workflowInfo().runId, report: { outcome: 'failed', failure } });
    throw error;
  }
}
