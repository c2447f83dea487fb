/** Who holds the name of a system: read from the lock workflow's memo. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { OrchestrationActivities } from './types.ts';

type Holder = Awaited<ReturnType<OrchestrationActivities['lockHolder']>>;

/** Undefined when the lock is free; throws what the client throws when the server can't be asked. */
export async function lockHolderOf(client: Client, lockId: string): Promise<Holder> {
  try {
    const lock = await client.workflow.getHandle(lockId).describe();
    if (lock.status.name !== 'RUNNING') return undefined;
    const { operation, plan, workflowId } = lock.memo ?? {};
    return {
      operation: String(operation),
      workflowId: String(workflowId),
      ...(typeof plan === 'string' ? { plan } : {}),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
