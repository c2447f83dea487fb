/** An incident is told that its trouble is over. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { SIGNALS, type Healed } from '../workflows/contract.ts';

/** False when it is over already, or never was. A repeat changes nothing. */
export async function tellHealed({ workflow }: Pick<Client, 'workflow'>, workflowId: string): Promise<boolean> {
  const healed: Healed = { at: new Date().toISOString() };
  try {
    await workflow.getHandle(workflowId).signal(SIGNALS.healed, healed);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
