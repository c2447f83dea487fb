/** What happened is written down beside the system's state. */
import { CancellationScope, log } from '@temporalio/workflow';
import { told } from './failure.ts';
import { orchestration } from './proxies.ts';

/**
 * Also of a run that was cancelled after its point of no return. What was done stays done when it can't be written down,
 * and is still the run's result, so that this never throws.
 */
export async function writeDown(report: Parameters<typeof orchestration.writeReport>[0]): Promise<void> {
  try {
    await CancellationScope.nonCancellable(() => orchestration.writeReport(report));
  } catch (error) {
    log.warn('the report could not be written', { why: told(error).message });
  }
}
