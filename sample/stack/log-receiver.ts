/** The write-ahead log of one component, received by a running Holdfast: started, watched and stopped from outside. */
import { Client, Connection } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import { WORKFLOWS, workflowIds } from '../../src/workflows/contract.ts';
import type { ActivityProgress, WalProgress } from '../../src/workflows/contract.ts';

export interface LogReceiver {
  /** Undefined before the host has said anything. */
  progress(): Promise<WalProgress | undefined>;
  /** Resolves when it has ended; what it received stays. */
  stop(): Promise<void>;
}

/** `address` is that of the engine. One that runs already is the one that is watched. */
export async function receiveLog(address: string, system: string, component: string): Promise<LogReceiver> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const handle = await client.workflow.start(WORKFLOWS.receiveWal, {
    taskQueue: ORCHESTRATION_QUEUE,
    workflowId: workflowIds.receiveWal(system, component),
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [{ system, component }],
  });
  return {
    progress: () => progressOf(handle),
    async stop() {
      try {
        await handle.cancel();
        await handle.result().catch(() => undefined);
      } finally {
        await connection.close();
      }
    },
  };
}

async function progressOf(handle: WorkflowHandle): Promise<WalProgress | undefined> {
  const { raw } = await handle.describe();
  for (const { heartbeatDetails } of raw.pendingActivities ?? []) {
    const payload = heartbeatDetails?.payloads?.[0];
    if (payload !== undefined) return defaultPayloadConverter.fromPayload<ActivityProgress>(payload).wal;
  }
  return undefined;
}
