/** A restore in place must not be streamed from while it exchanges a cluster: what receives its log is paused meanwhile. */
import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { SystemFacts } from '../activities/types.ts';
import { workflowIds } from './contract.ts';
import { pauseWalSignal, resumeWalSignal, walPausedSignal } from './receive-wal.ts';

const ANSWER_LIMIT = '2 minutes';

/** Runs `body` while no log of these components is received; what did not run is not started. */
export async function withLogsPaused<T>(
  facts: SystemFacts,
  components: readonly string[],
  body: () => Promise<T>,
): Promise<T> {
  const logged = facts.components.filter(({ name, log }) => log === true && components.includes(name));
  if (logged.length === 0) return body();
  const paused = new Set<string>();
  setHandler(walPausedSignal, ({ by }) => void paused.add(by));
  const asked = new Set<string>();
  try {
    for (const { name } of logged) {
      const id = workflowIds.receiveWal(facts.system, name);
      if (await ask(id, pauseWalSignal)) asked.add(id);
    }
    await condition(() => [...asked].every((id) => paused.has(id)), ANSWER_LIMIT, { summary: 'logs are paused' });
    return await body();
  } finally {
    await CancellationScope.nonCancellable(async () => {
      for (const id of asked) await ask(id, resumeWalSignal);
    });
  }
}

/** False when nobody receives it. */
async function ask(workflowId: string, signal: typeof pauseWalSignal): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(signal, { by: workflowInfo().workflowId });
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    return false;
  }
}
