/** Every store of a system asked beside the others: one that can't be read keeps nothing from those that can. */
import { tell, type ToldError } from '../observe/told.ts';
import type { StoreConfig } from '../system/types.ts';

/** A store that could not be read, with the reason. */
export interface UnreadStore {
  readonly store: string;
  readonly error: ToldError;
}

export interface StoreAnswers<T> {
  /** In the order of the stores. */
  readonly answers: readonly { readonly store: string; readonly value: T }[];
  readonly unread: readonly UnreadStore[];
  /** What was thrown for each of those that are unread. */
  readonly failures: readonly unknown[];
}

/** Never throws for a store that can't be read. */
export async function askStores<T>(
  stores: readonly StoreConfig[],
  ask: (config: StoreConfig) => Promise<T>,
): Promise<StoreAnswers<T>> {
  const settled = await Promise.allSettled(stores.map(ask));
  const answers: { store: string; value: T }[] = [];
  const unread: UnreadStore[] = [];
  const failures: unknown[] = [];
  for (const [index, outcome] of settled.entries()) {
    const store = stores[index]?.name ?? '';
    if (outcome.status === 'fulfilled') {
      answers.push({ store, value: outcome.value });
      continue;
    }
    unread.push({ store, error: tell(outcome.reason) });
    failures.push(outcome.reason);
  }
  return { answers, unread, failures };
}
