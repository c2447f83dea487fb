/** When the lock of an object that must stay is due to be made longer. Pure. */

/**
 * A lock lasts at least two thirds of its time at every run of the keeper, so that weeks without one are survived; and an
 * object is asked about only once it has been there for a third of that time.
 */
const LEAST_LEFT = 2 / 3;

/** False: its first lock, of when it was written, is long enough still. */
export function mayNeedLock(modifiedAtMs: number, forSeconds: number, nowMs: number): boolean {
  return modifiedAtMs + forSeconds * 1000 < nowMs + forSeconds * 1000 * LEAST_LEFT;
}

export function needsLock(lock: { readonly untilMs: number } | undefined, forSeconds: number, nowMs: number): boolean {
  return lock === undefined || lock.untilMs < nowMs + forSeconds * 1000 * LEAST_LEFT;
}
