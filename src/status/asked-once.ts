/** Questions that may never be answered, such as those about a network mount that is gone: one at a time of each. */
import { HoldfastError } from '../failures.ts';

const open = new Map<string, number>();

/**
 * The answer, within `limitMs`. Throws HostBusy when it takes longer, and at once while the same question of before is
 * still open: each would hold a thread of the process.
 */
export async function askedOnce<T>(what: string, limitMs: number, ask: () => Promise<T>): Promise<T> {
  const since = open.get(what);
  if (since !== undefined) {
    throw new HoldfastError('HostBusy', `${what} has not answered since ${new Date(since).toISOString()}`, {
      hint: 'See whether its disk or its network mount still works, and mount it again.',
    });
  }
  open.set(what, Date.now());
  const asked = ask().finally(() => open.delete(what));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new HoldfastError('HostBusy', `${what} did not answer in ${limitMs / 1000} s`, {
          hint: 'See whether its disk or its network mount still works, and mount it again.',
        }),
      );
    }, limitMs);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
    // Whoever lost the race is not waited for any more.
    asked.catch(() => undefined);
  }
}

/** Since when questions are open that took longer than they may. */
const late = new Map<string, number>();

/** A store that is read for the first time may have thousands of records; what hangs is told after so long. */
export const STORE_LIMIT_MS = 180_000;
/** Counting lists all of it. A look has five minutes. */
export const COUNT_LIMIT_MS = 240_000;

/**
 * The answer, within `limitMs`; others may ask the same meanwhile. Throws HostBusy when it takes longer, and at once while
 * any question of this name that took longer is still open: each would hold a thread of the process.
 */
export async function answeredInTime<T>(what: string, limitMs: number, ask: () => Promise<T>): Promise<T> {
  const since = late.get(what);
  if (since !== undefined) throw silent(`${what} has not answered since ${new Date(since).toISOString()}`);
  const beganMs = Date.now();
  const asked = ask();
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.set(what, beganMs);
    const answered = (): void => void late.delete(what);
    asked.then(answered, answered);
    over.reject(silent(`${what} did not answer in ${limitMs / 1000} s`));
  }, limitMs);
  try {
    return await Promise.race([asked, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function silent(message: string): HoldfastError {
  return new HoldfastError('HostBusy', message, {
    hint: 'See whether its disk, its network mount or its server still works.',
  });
}
