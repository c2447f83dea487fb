/** Copies belong to the engine, not to the backup that asked for them: they are started beside it. */
import type { Client } from '@temporalio/client';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { SIGNALS, workflowIds, WORKFLOWS, type CopyInput } from '../workflows/contract.ts';

/** One for each target; one that runs already learns that there is more. A repeat harms nothing. */
export async function startCopies(client: Client, system: string, targets: readonly string[]): Promise<void> {
  for (const target of targets) {
    const input: CopyInput = { system, target };
    await client.workflow.signalWithStart(WORKFLOWS.copy, {
      taskQueue: ORCHESTRATION_QUEUE,
      workflowId: workflowIds.copy(system, target),
      args: [input],
      signal: SIGNALS.moreToCopy,
      signalArgs: [],
      staticSummary: `${system}: copies to ${target}`,
    });
  }
}
