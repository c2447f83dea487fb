/** Holds the name of a system at a site, and nothing else: the server lets only one workflow of an id run. */
import { CancellationScope, condition, defineSignal, setCurrentDetails, setHandler } from '@temporalio/workflow';

export interface LockMemo {
  readonly operation: string;
  readonly plan?: string;
  readonly workflowId: string;
}

export const releaseLockSignal = defineSignal('release');

/** Ends when it is told to. A cancel is no reason: whoever holds the lock would go on without it. */
export async function systemLock(holder: LockMemo): Promise<void> {
  let released = false;
  setHandler(releaseLockSignal, () => void (released = true), { description: 'The operation has ended' });
  setCurrentDetails(`Held by ${holder.operation} \`${holder.workflowId}\``);
  await CancellationScope.nonCancellable(() => condition(() => released));
}
