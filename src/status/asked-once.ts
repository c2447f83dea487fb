/** Questions that may never be answered, such as those about a network mount that is gone: told in time, not piled up. */
import { HoldfastError } from '../failures.ts';
import type { StoreConfig, System } from '../system/types.ts';

interface Asked {
  readonly sinceMs: number;
  readonly answer: Promise<unknown>;
  late: boolean;
}

const open = new Map<string, Asked>();
const MOUNT_HINT = 'See whether its disk or its network mount still works, and mount it again.';

/**
 * The answer, within `limitMs`; who asks the same meanwhile gets the same answer. Throws HostBusy when it takes longer, and
 * at once while a question that took longer is still open: each would hold a thread of the process.
 */
export async function askedOnce<T>(what: string, limitMs: number, ask: () => Promise<T>): Promise<T> {
  const asked = open.get(what) ?? begin(what, ask);
  if (asked.late) throw silent(`${what} has not answered since ${new Date(asked.sinceMs).toISOString()}`, MOUNT_HINT);
  return within(limitMs, asked.answer as Promise<T>, () => {
    asked.late = true;
    return silent(`${what} did not answer in ${limitMs / 1000} s`, MOUNT_HINT);
  });
}

function begin(what: string, ask: () => Promise<unknown>): Asked {
  const answer = ask().finally(() => open.delete(what));
  const asked = { sinceMs: Date.now(), answer, late: false };
  open.set(what, asked);
  return asked;
}

/** Since when questions are open that took longer than they may. */
const late = new Map<string, number>();
const STORE_HINT = 'See whether its disk, its network mount or its server still works.';

/** A store that is read for the first time may have thousands of records; what hangs is told after so long. */
export const STORE_LIMIT_MS = 180_000;
/** One name for all that is asked of a store: one that hangs is not asked something else for as long again. */
export function storeQuestion({ name: system }: Pick<System, 'name'>, { name }: Pick<StoreConfig, 'name'>): string {
  return `store ${name} of ${system}`;
}

/** Counting lists all of it. A look has five minutes. */
export const COUNT_LIMIT_MS = 240_000;

/**
 * The answer, within `limitMs`; others may ask something else of this name meanwhile. Throws HostBusy when it takes longer,
 * and at once while any question of this name that took longer is still open: each would hold a thread of the process.
 */
export async function answeredInTime<T>(what: string, limitMs: number, ask: () => Promise<T>): Promise<T> {
  const since = late.get(what);
  if (since !== undefined) throw silent(`${what} has not answered since ${new Date(since).toISOString()}`, STORE_HINT);
  const beganMs = Date.now();
  const answer = ask();
  return within(limitMs, answer, () => {
    late.set(what, beganMs);
    const answered = (): void => void late.delete(what);
    answer.then(answered, answered);
    return silent(`${what} did not answer in ${limitMs / 1000} s`, STORE_HINT);
  });
}

async function within<T>(limitMs: number, answer: Promise<T>, tooLate: () => Error): Promise<T> {
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(tooLate()), limitMs);
  try {
    return await Promise.race([answer, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function silent(message: string, hint: string): HoldfastError {
  return new HoldfastError('HostBusy', message, { hint });
}
