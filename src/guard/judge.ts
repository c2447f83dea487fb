/** When a guard releases a freeze in its worker's place. Pure. */
import type { FreezeJournal } from '../docker/freeze-journal.ts';

/** Why it is due, or undefined while the worker may still hold it. */
export function verdict(
  journal: FreezeJournal,
  now: { readonly monotonicMs: number; readonly workerAlive: boolean },
): string | undefined {
  if (!now.workerAlive) return `its worker, process ${journal.worker.pid}, is dead`;
  const budgetMs = journal.intent.budgetSeconds * 1000;
  const touched = Object.keys(journal.touchedAtMs).length > 0;
  if (!touched || now.monotonicMs - journal.beganMonotonicMs < budgetMs) return undefined;
  return `its budget of ${journal.intent.budgetSeconds} s is over`;
}
