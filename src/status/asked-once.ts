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
