/** Whether a workflow goes on. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';

/** Of the newest run of this id unless one is named. One that the engine does not know has ended. */
export async function stillRuns(client: Client, workflowId: string, runId?: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(workflowId, runId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
