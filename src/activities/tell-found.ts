/** A trouble is told to its incident, which begins with it where there was none. */
import type { Client } from '@temporalio/client';
import type { Finding } from '../policy/findings.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { SIGNALS, WORKFLOWS, type IncidentInput } from '../workflows/contract.ts';

/** A repeat changes nothing. */
export async function tellFound(client: Client, workflowId: string, finding: Finding): Promise<void> {
  const { system, check, subject, severity, what, hint, since } = finding;
  const input: IncidentInput = {
    system,
    check,
    subject,
    severity,
    what,
    hint,
    ...(since === undefined ? {} : { since }),
  };
  await client.workflow.signalWithStart(WORKFLOWS.incident, {
    taskQueue: ORCHESTRATION_QUEUE,
    workflowId,
    args: [input],
    signal: SIGNALS.found,
    signalArgs: [finding],
    staticSummary: `${system}: ${check} of ${subject}`,
  });
}
