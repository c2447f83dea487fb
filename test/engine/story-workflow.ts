/** A workflow with one step whose death only a heartbeat time-out of an hour would show. */
import { proxyActivities } from '@temporalio/workflow';

const { step } = proxyActivities<{ step(): Promise<number> }>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '1 hour',
  retry: { initialInterval: '100 milliseconds' },
});

export async function story(): Promise<number> {
  return step();
}
