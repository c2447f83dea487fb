/** Every write-ahead log that the system files ask for is received: what does not run yet is started. */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { listSystems, loadSystem } from '../system/index.ts';
import { ORCHESTRATION_QUEUE } from '../task-queues.ts';
import { workflowIds, WORKFLOWS, type ReceiveWalInput } from '../workflows/contract.ts';

export interface ReceiverStart {
  readonly workflowId: string;
  /** False: it ran already. */
  readonly started: boolean;
  /** Why it could not be started, or why a system file could not be read. */
  readonly error?: string;
}

/** For components of these hosts. A repeat starts nothing twice; a bad system file keeps none of the others from it. */
export async function ensureReceivers(client: Client, hosts: readonly string[]): Promise<ReceiverStart[]> {
  const told: ReceiverStart[] = [];
  for (const { name } of await listSystems()) {
    try {
      const { components } = await loadSystem(name);
      for (const component of components) {
        if (component.kind !== 'postgres' || component.method !== 'base' || component.wal === undefined) continue;
        if (hosts.includes(component.host)) told.push(await ensureOne(client, name, component.name));
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      told.push({ workflowId: `${name}/wal`, started: false, error: message });
    }
  }
  return told;
}

async function ensureOne(client: Client, system: string, component: string): Promise<ReceiverStart> {
  const workflowId = workflowIds.receiveWal(system, component);
  const input: ReceiveWalInput = { system, component };
  try {
    await client.workflow.start(WORKFLOWS.receiveWal, {
      taskQueue: ORCHESTRATION_QUEUE,
      workflowId,
      args: [input],
      staticSummary: `${system}: the write-ahead log of ${component}`,
    });
    return { workflowId, started: true };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { workflowId, started: false };
    throw error;
  }
}
